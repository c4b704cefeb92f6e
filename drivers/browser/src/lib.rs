//! A headless browser with the built playground or the page of the endpoint, controlled by its developer protocol.
//!
//! Decision: the protocol over the browser's pipes (file descriptors 3 and 4, messages ended by a NUL), for which a
//! shell and a JSON parser are enough, instead of a WebSocket and a driver that would have to match the browser.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The time limit for an answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// The options of Chromium: nothing is shown, stored or fetched.
///
/// Its sandbox needs privileges that a container lacks, and the only page is our own.
const OPTIONS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
];

/// Builds the page, unless it is up to date.
///
/// # Errors
/// It cannot be built; cargo has printed the reason.
pub fn build() -> io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "--package", "xtask", "--", "dist", "playground"]).current_dir(&root);
    let built = cargo.stderr(Stdio::piped()).output()?;
    if !built.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&built.stderr).into_owned()));
    }
    root.join("dist/playground.html").canonicalize()
}

/// Builds the program, unless it is up to date, and returns its path.
///
/// # Errors
/// It cannot be built; cargo has printed the reason.
pub fn build_program() -> io::Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", "kaudit-filter-cli"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cargo.status()?.success() {
        return Err(io::Error::other("kaudit-filter cannot be built"));
    }
    // The test is in `deps`, below the folder of the programs.
    let test = std::env::current_exe()?;
    let programs = test.ancestors().nth(2).ok_or_else(|| io::Error::other("the test has no folder"))?;
    Ok(programs.join("kaudit-filter"))
}

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    requests: ChildStdin,
    messages: Receiver<Value>,
    profile: PathBuf,
    session: Option<String>,
    last: u64,
    /// Every error in the page, and every address that it requested.
    heard: Vec<Value>,
}

impl Browser {
    /// Starts `KAUDIT_BROWSER`, by default `chromium`; its profile is in a new directory below `scratch`.
    ///
    /// # Errors
    /// There is no such program, or it does not answer.
    pub fn start(scratch: &Path) -> io::Result<Self> {
        let program = std::env::var_os("KAUDIT_BROWSER").unwrap_or_else(|| "chromium".into());
        let profile = scratch.join(format!("browser-{}", std::process::id()));
        fs::create_dir_all(&profile)?;
        // The shell passes the browser its pipes under the descriptors that it reads.
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(&program)
            .args(OPTIONS);
        shell.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let piped = || io::Error::other("the browser has no pipes");
        let requests = child.stdin.take().ok_or_else(piped)?;
        let mut answers = BufReader::new(child.stdout.take().ok_or_else(piped)?);
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while matches!(answers.read_until(0, &mut message), Ok(1..)) {
                let parsed = serde_json::from_slice(message.strip_suffix(&[0]).unwrap_or(&message));
                if parsed.is_ok_and(|message: Value| sender.send(message).is_err()) {
                    return;
                }
                message.clear();
            }
        });
        let mut browser =
            Self { child, requests, messages, profile, session: None, last: 0, heard: Vec::new() };
        browser.attach().map_err(|error| {
            let advice = "`cargo xtask playground --test` installs one, or set KAUDIT_BROWSER";
            io::Error::other(format!("no browser `{}` ({error}); {advice}", program.display()))
        })?;
        Ok(browser)
    }

    fn attach(&mut self) -> io::Result<()> {
        let targets = self.call("Target.getTargets", &json!({}))?;
        let pages = targets["targetInfos"].as_array().into_iter().flatten();
        let page = pages.into_iter().find(|target| target["type"] == "page");
        let page = page.ok_or_else(|| io::Error::other("it has no page"))?["targetId"].clone();
        let attached = self.call("Target.attachToTarget", &json!({ "targetId": page, "flatten": true }))?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            self.call(domain, &json!({}))?;
        }
        self.call("Performance.enable", &json!({ "timeDomain": "threadTicks" })).map(drop)
    }

    /// Calls a method of the protocol.
    ///
    /// # Errors
    /// The browser rejects it, has exited, or does not answer.
    pub fn call(&mut self, method: &str, parameters: &Value) -> io::Result<Value> {
        self.last += 1;
        let id = self.last;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.requests.write_all(message.to_string().as_bytes())?;
        self.requests.write_all(&[0])?;
        loop {
            let mut message = self.messages.recv_timeout(PATIENCE).map_err(|error| match error {
                RecvTimeoutError::Timeout => {
                    io::Error::other(format!("no answer to {method} in {PATIENCE:?}"))
                }
                RecvTimeoutError::Disconnected => io::Error::other("the browser has exited"),
            })?;
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(io::Error::other(format!("{method}: {error}"))),
                    None => Ok(message["result"].take()),
                };
            }
            self.heard.push(message);
        }
    }

    /// Opens the playground, and returns the milliseconds until it was ready.
    ///
    /// The current page with another fragment is loaded again, too.
    ///
    /// # Errors
    /// It cannot be opened, or the playground in it does not start.
    pub fn open(&mut self, address: &str) -> io::Result<f64> {
        self.navigate(address)?;
        self.wait("window.playground !== undefined")?;
        let ready = self.eval("window.playground.ready")?;
        ready.as_f64().ok_or_else(|| io::Error::other(format!("the playground is not ready: {ready}")))
    }

    /// Opens an address.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn navigate(&mut self, address: &str) -> io::Result<()> {
        self.call("Page.navigate", &json!({ "url": "about:blank" }))?;
        self.heard.clear();
        let opened = self.call("Page.navigate", &json!({ "url": address }))?;
        if let Some(error) = opened["errorText"].as_str() {
            return Err(io::Error::other(format!("{address}: {error}")));
        }
        Ok(())
    }

    /// Returns the value of an expression, awaited if it is a promise.
    ///
    /// # Errors
    /// It throws; the error is the thrown value.
    pub fn eval(&mut self, expression: &str) -> io::Result<Value> {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let mut answer = self.call("Runtime.evaluate", &asked)?;
        match answer.get("exceptionDetails").map(|details| &details["exception"]) {
            Some(thrown) => {
                let text = thrown["description"].as_str().or(thrown["value"].as_str());
                Err(io::Error::other(text.map_or_else(|| thrown.to_string(), str::to_owned)))
            }
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true.
    ///
    /// # Errors
    /// It is not true within ten seconds.
    pub fn wait(&mut self, expression: &str) -> io::Result<()> {
        let waiting = format!(
            "new Promise((done, fail) => {{ const end = performance.now() + 10000; const look = () => ({expression}) ? \
             done() : performance.now() > end ? fail('it does not become so') : setTimeout(look, 20); look(); }})"
        );
        self.eval(&waiting).map(drop).map_err(|error| io::Error::other(format!("{expression}: {error}")))
    }

    /// Types a text into the focused element.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn type_text(&mut self, text: &str) -> io::Result<()> {
        self.call("Input.insertText", &json!({ "text": text })).map(drop)
    }

    /// Presses and releases a key by its name, such as `Tab` or `Enter`.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn press(&mut self, key: &str) -> io::Result<()> {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            " " => (32, " "),
            "Backspace" => (8, ""),
            _ => return Err(io::Error::other(format!("no key `{key}` is known here"))),
        };
        let name = if key == " " { "Space" } else { key };
        let event = json!({ "key": key, "code": name, "windowsVirtualKeyCode": code });
        for (kind, text) in [("keyDown", text), ("keyUp", "")] {
            let mut event = event.clone();
            event["type"] = kind.into();
            if !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", &event)?;
        }
        Ok(())
    }

    /// Sets the size of the window, in pixels, and the theme, `dark` or `light`.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn look(&mut self, (width, height): (u32, u32), scheme: &str) -> io::Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &scheme).map(drop)
    }

    /// Writes a screenshot to a PNG file.
    ///
    /// # Errors
    /// The screenshot fails, or cannot be written.
    pub fn screenshot(&mut self, file: &Path) -> io::Result<()> {
        let shot = self.call("Page.captureScreenshot", &json!({ "format": "png" }))?;
        let image = STANDARD.decode(shot["data"].as_str().unwrap_or_default()).map_err(io::Error::other)?;
        fs::write(file, image)
    }

    /// Returns the page's CPU time since it was opened, milliseconds.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn busy(&mut self) -> io::Result<f64> {
        let metrics_reply = self.call("Performance.getMetrics", &json!({}))?;
        let mut metrics = metrics_reply["metrics"].as_array().into_iter().flatten();
        let task = metrics.find(|metric| metric["name"] == "TaskDuration");
        let seconds = task.and_then(|metric| metric["value"].as_f64());
        seconds
            .map(|seconds| seconds * 1000.0)
            .ok_or_else(|| io::Error::other(format!("no such metric: {metrics_reply}")))
    }

    /// Returns every address that was requested since the page was opened.
    pub fn requests(&self) -> Vec<&str> {
        let asked = self.heard.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.filter_map(|event| event["params"]["request"]["url"].as_str()).collect()
    }

    /// Returns the errors in the page's console, including uncaught ones.
    pub fn complaints(&self) -> Vec<String> {
        let complaint = |event: &Value| {
            let parameters = &event["params"];
            let bad = match event["method"].as_str()? {
                "Runtime.exceptionThrown" => true,
                "Runtime.consoleAPICalled" => parameters["type"] == "error",
                "Log.entryAdded" => parameters["entry"]["level"] == "error",
                _ => false,
            };
            bad.then(|| parameters.to_string())
        };
        self.heard.iter().filter_map(complaint).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have exited already; then it does not write to its profile.
        self.session = None;
        let _ = self.call("Browser.close", &json!({}));
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
