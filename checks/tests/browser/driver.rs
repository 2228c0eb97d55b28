//! A browser that is driven through WebDriver (<https://www.w3.org/TR/webdriver2/>).

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

/// How long the browser may take for one command.
const PATIENCE: Duration = Duration::from_secs(60);

/// A headless Chromium with an empty profile.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser; `None` where there is none, which is said.
    pub(crate) fn start() -> Option<Browser> {
        let is_required = std::env::var_os("STEADFAST_BROWSER_REQUIRED").is_some();
        let missing = ["chromium", "chromedriver"].into_iter().find(|it| which(it).is_none());
        if let Some(missing) = missing {
            assert!(!is_required, "{missing} is not installed");
            eprintln!("SKIPPED: {missing} is not installed; .ci/browser installs it");
            return None;
        }
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let port = port(&mut driver);
        let profile = tempfile::tempdir().expect("a directory");
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        let mut browser = Browser {
            driver,
            agent: config.into(),
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
        };
        browser.open_session();
        Some(browser)
    }

    fn open_session(&mut self) {
        let profile = self._profile.path().display();
        let switches = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1500,1000",
        ];
        let mut switches: Vec<String> = switches.iter().map(|it| (*it).to_owned()).collect();
        switches.push(format!("--user-data-dir={profile}"));
        let browser = which("chromium").expect("it was found before");
        let options = json!({ "args": switches, "binary": browser });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = self.command("", &wanted);
        let id = session["sessionId"].as_str().expect("a session");
        self.session = format!("{}/{id}", self.session);
    }

    /// Sends a command and returns its value.
    fn command(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.agent.post(&url).header("content-type", "application/json");
        let mut answer = request.send(body.to_string()).expect("the driver answers");
        let text = answer.body_mut().with_config().limit(100 << 20).read_to_string();
        let value: Value = serde_json::from_str(&text.expect("text")).expect("JSON");
        assert!(answer.status().is_success(), "{path}: {}", value["value"]["message"]);
        value["value"].clone()
    }

    /// Opens an address and waits until it is loaded.
    pub(crate) fn open(&self, address: &str) {
        self.command("/url", &json!({ "url": "about:blank" }));
        self.command("/url", &json!({ "url": address }));
    }

    /// Opens a file at a fragment.
    pub(crate) fn open_file(&self, file: &Path, fragment: &str) {
        self.open(&format!("file://{}{fragment}", file.display()));
    }

    /// What a function body returns on the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Presses a key on the page.
    pub(crate) fn press(&self, key: &str) {
        let code = match key {
            "ArrowRight" => "\u{e014}",
            "ArrowLeft" => "\u{e012}",
            "Home" => "\u{e011}",
            "End" => "\u{e010}",
            letter => letter,
        };
        let presses = json!([
            { "type": "keyDown", "value": code },
            { "type": "keyUp", "value": code },
        ]);
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": presses });
        self.command("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Clicks the middle of what a selector finds.
    pub(crate) fn click(&self, selector: &str) {
        let found = json!({ "using": "css selector", "value": selector });
        let element = self.command("/element", &found);
        let id = element.as_object().and_then(|it| it.values().next()).and_then(Value::as_str);
        let id = id.unwrap_or_else(|| panic!("{selector} is not there"));
        self.command(&format!("/element/{id}/click"), &json!({}));
    }

    /// Shows pages with this preferred colour scheme.
    pub(crate) fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let params = json!({ "features": features });
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": params });
        self.command("/goog/cdp/execute", &command);
    }

    /// What went wrong on pages since the last question, a policy that was not kept among it.
    pub(crate) fn errors(&self) -> Vec<String> {
        let log = self.command("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().expect("a log").iter();
        let severe = entries.filter(|it| it["level"] == "SEVERE");
        severe.map(|it| it["message"].to_string()).collect()
    }

    /// Writes what is seen to a file beside the other files of the tests.
    pub(crate) fn screenshot(&self, name: &str) {
        let address = format!("{}/screenshot", self.session);
        let mut answer = self.agent.get(&address).call().expect("the driver answers");
        let text = answer.body_mut().with_config().limit(100 << 20).read_to_string();
        let value: Value = serde_json::from_str(&text.expect("text")).expect("JSON");
        fs::write(place(name), decoded(&value["value"])).expect("a file");
    }

    /// Prints the page; returns the PDF.
    pub(crate) fn print(&self, name: &str) -> Vec<u8> {
        let pdf = decoded(&self.command("/print", &json!({ "orientation": "landscape" })));
        fs::write(place(name), &pdf).expect("a file");
        pdf
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Where the pictures of the tests are kept, to be looked at.
pub(crate) fn place(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    fs::create_dir_all(&directory).expect("a directory");
    directory.join(name)
}

fn decoded(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("text");
    base64::prelude::BASE64_STANDARD.decode(text).expect("base64")
}

/// The port that a driver chose.
fn port(driver: &mut Child) -> u16 {
    let output = BufReader::new(driver.stdout.take().expect("its output"));
    let line = output.lines().map_while(Result::ok).find(|it| it.contains("successfully on port "));
    let line = line.expect("chromedriver says its port");
    let digits = line.rsplit("on port ").next().unwrap_or("").trim_end_matches('.');
    digits.parse().unwrap_or_else(|_| panic!("no port in {line:?}"))
}

fn which(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|it| it.join(program)).find(|it| it.is_file())
}
