//! An HTTP endpoint for Prometheus.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use host_kit::exposition;
use oxhttp::Server;
use oxhttp::model::header::CONTENT_TYPE;
use oxhttp::model::{Body, Method, Response};

/// The timeout of an idle connection.
const IDLE: Duration = Duration::from_mins(1);
/// The maximum number of concurrent connections; further ones wait.
const CONNECTIONS: usize = 8;
/// The number of attempts to read the metrics, and the time between them: a second in total.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Serves `GET /metrics` until the program ends; returns the address.
///
/// `metrics` returns the text, or `None` while the filter is in use. If that lasts, as while the output blocks, the answer
/// is the previous text, so that a scrape does not fail when it matters most.
///
/// # Errors
/// The address cannot be used.
pub fn serve(
    address: SocketAddr,
    metrics: impl Fn() -> Option<String> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let address = free_port(address)?;
    let previous = Mutex::new(metrics().unwrap_or_default());
    let server = Server::new(move |request| {
        if (request.method(), request.uri().path()) != (&Method::GET, "/metrics") {
            return answer(404, "the metrics are at GET /metrics\n".to_owned());
        }
        // The text is complete at any time.
        let mut previous = previous.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = (0..ATTEMPTS).find_map(|_| metrics().or_else(pause)) {
            *previous = text;
        }
        answer(200, previous.clone())
    });
    server.bind(address).with_global_timeout(IDLE).with_max_concurrent_connections(CONNECTIONS).spawn()?;
    Ok(address)
}

#[expect(clippy::disallowed_methods, reason = "the interval between attempts")]
fn pause() -> Option<String> {
    sleep(PAUSE);
    None
}

fn answer(status: u16, text: String) -> Response<Body> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, exposition::CONTENT_TYPE);
    response.body(Body::from(text)).unwrap_or_default()
}

/// Returns the address with a free port instead of 0.
/// The server does not report the port that it gets.
pub fn free_port(address: SocketAddr) -> io::Result<SocketAddr> {
    if address.port() == 0 { TcpListener::bind(address)?.local_addr() } else { Ok(address) }
}
