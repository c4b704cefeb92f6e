//! `cargo xtask playground`: builds, serves and tests the playground's page.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::dist;
use crate::shell::{Done, apt_get, cargo, on_path, root, run as sh};

/// The address of the page, fixed so that links to it stay valid; if it is in use, any port.
const ADDRESSES: [&str; 2] = ["127.0.0.1:8470", "127.0.0.1:0"];

/// Packages with a browser that `--test` can control.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// The environment variable with the browser's program.
const BROWSER: &str = "KAUDIT_BROWSER";

/// Builds the page and serves it; with `--test`, tests it and its module instead.
pub fn run(arguments: &[String]) -> Done {
    dist::run(&["playground".to_owned()])?;
    match arguments {
        [] => serve(),
        [option] if option == "--test" => test(),
        _ => Err("the only option is --test".to_owned()),
    }
}

fn test() -> Done {
    let packages = ["kaudit-playground", "kaudit-browser-driver"];
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    sh(with_browser(&["test", "--locked"])?.args(packages))
}

/// Returns `cargo` with these arguments, and the browser for the tests, which is installed if it is missing.
pub fn with_browser(arguments: &[&str]) -> Done<Command> {
    let named = std::env::var(BROWSER).ok();
    let found = named.or_else(|| BROWSERS.iter().find(|name| on_path(name)).map(|name| (*name).to_owned()));
    let browser = match found {
        Some(browser) => browser,
        None => install()?,
    };
    let mut command = cargo(arguments);
    command.env(BROWSER, browser);
    Ok(command)
}

fn install() -> Done<String> {
    apt_get(&["chromium"]).map_err(|error| {
        let advice = "the playground's tests need Chromium: install it, or set a compatible browser in";
        format!("{advice} {BROWSER} ({error})")
    })?;
    Ok("chromium".to_owned())
}

/// Serves the page to this machine.
fn serve() -> Done {
    let page = root().join("dist/playground.html");
    let page = fs::read(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    let listener = ADDRESSES.iter().find_map(|address| TcpListener::bind(address).ok());
    let listener = listener.ok_or("no port of 127.0.0.1 is free")?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("The playground is at http://{address}/; end with Ctrl-C.");
    for request in listener.incoming() {
        // A client may disconnect before the answer.
        let _ = request.and_then(|request| answer(request, &page));
    }
    Ok(())
}

/// Answers every request with the page.
fn answer(mut request: TcpStream, page: &[u8]) -> std::io::Result<()> {
    // A browser may open connections without a request.
    request.set_read_timeout(Some(Duration::from_secs(1)))?;
    let head = BufReader::new(request.try_clone()?).lines();
    head.map_while(Result::ok).find(String::is_empty);
    let length = page.len();
    write!(
        request,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\nConnection: \
         close\r\n\r\n"
    )?;
    request.write_all(page)
}
