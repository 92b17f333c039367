//! A headless browser, driven through the W3C WebDriver protocol.
//!
//! `chromedriver` speaks it over HTTP; each command is one request with a little JSON. Nothing is waited for by
//! sleeping: [`Browser::wait`] asks the page again until it says yes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wait::wait_until;

/// The longest that a page may take for anything, on a machine that builds at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A key that is no letter, as WebDriver writes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key(pub char);

impl Key {
    /// To the right.
    pub const RIGHT: Key = Key('\u{e014}');
    /// To the left.
    pub const LEFT: Key = Key('\u{e012}');
    /// Down.
    pub const DOWN: Key = Key('\u{e015}');
    /// Enter.
    pub const ENTER: Key = Key('\u{e007}');
    /// Escape.
    pub const ESCAPE: Key = Key('\u{e00c}');
    /// Tab.
    pub const TAB: Key = Key('\u{e004}');
    /// The end of the run.
    pub const END: Key = Key('\u{e010}');
}

/// A browser with one window. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    /// What it keeps on disk.
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser whose window has this size, in pixels.
    ///
    /// # Panics
    ///
    /// If it cannot be started: `chromium` and `chromium-driver` must be installed.
    pub fn open(width: u32, height: u32) -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let port = port_of(&mut driver);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let profile = TempDir::with_prefix("browser-").expect("there is a folder for them");
        let mut browser = Browser {
            driver,
            agent: config.into(),
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
        };
        let arguments = [
            "--headless=new".to_owned(),
            // There is none for root, whose tests these are; the pages are ours.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            format!("--window-size={width},{height}"),
            format!("--user-data-dir={}", browser._profile.path().display()),
        ];
        let options = json!({ "binary": "/usr/bin/chromium", "args": arguments });
        let wanted =
            json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let session = browser.post("", json!({ "capabilities": { "alwaysMatch": wanted } }));
        let id = session["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Goes to an address.
    ///
    /// # Panics
    ///
    /// If it cannot be shown.
    pub fn go(&self, address: &str) {
        self.post("/url", json!({ "url": address }));
    }

    /// Shows a file.
    ///
    /// # Panics
    ///
    /// If it cannot be shown.
    pub fn show(&self, file: &Path) {
        self.go(&format!("file://{}", file.display()));
    }

    /// Runs the body of a function in the page, and returns what it returns.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression};"))
    }

    /// The value of an expression that is a text.
    ///
    /// # Panics
    ///
    /// If it throws, or is none.
    pub fn text(&self, expression: &str) -> String {
        let value = self.value(expression);
        value.as_str().unwrap_or_else(|| panic!("{expression} is {value}")).to_owned()
    }

    /// What axe-core finds on the page that some people cannot use, and what it cannot decide: a line for each
    /// element.
    ///
    /// # Panics
    ///
    /// If axe-core is not installed: `testbed.sh install` does so.
    pub fn obstacles(&self) -> Vec<String> {
        let root =
            Command::new("npm").args(["root", "--global"]).output().expect("npm is installed");
        let root = String::from_utf8_lossy(&root.stdout);
        let path = Path::new(root.trim()).join("axe-core/axe.min.js");
        let axe = std::fs::read_to_string(path).expect("axe-core is installed by testbed.sh");
        self.run(&axe);
        self.run(
            "window.obstacles = undefined; axe.run().then(({ violations, incomplete }) => {\
               window.obstacles = [...violations, ...incomplete].flatMap(({ id, nodes }) =>\
                 nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`));\
             });",
        );
        self.wait("window.obstacles !== undefined");
        serde_json::from_value(self.value("obstacles")).expect("a list of texts")
    }

    /// Waits until an expression is true, and nothing stands for painting.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn wait(&self, expression: &str) {
        wait_until(expression, PATIENCE, || (self.value(expression) == true).then_some(()));
    }

    /// Moves the mouse to a place of the page, in pixels.
    ///
    /// # Panics
    ///
    /// If that is outside.
    pub fn point(&self, x: f64, y: f64) {
        self.mouse(&[
            json!({ "type": "pointerMove", "x": x.round() as i64, "y": y.round() as i64, "duration": 0 }),
        ]);
    }

    /// Clicks at a place of the page, in pixels.
    ///
    /// # Panics
    ///
    /// If that is outside.
    pub fn click(&self, x: f64, y: f64) {
        self.point(x, y);
        self.mouse(&[
            json!({ "type": "pointerDown", "button": 0 }),
            json!({ "type": "pointerUp", "button": 0 }),
        ]);
    }

    /// Turns the wheel at a place of the page, by so many pixels.
    ///
    /// # Panics
    ///
    /// If that is outside.
    pub fn wheel(&self, x: f64, y: f64, by: f64) {
        let turn = json!({
            "type": "scroll", "x": x as i64, "y": y as i64, "deltaX": 0, "deltaY": by as i64,
            "duration": 0, "origin": "viewport",
        });
        let source = json!({ "type": "wheel", "id": "wheel", "actions": [turn] });
        self.post("/actions", json!({ "actions": [source] }));
    }

    /// Clicks on the first element that a selector of CSS finds.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn click_on(&self, selector: &str) {
        // A panel with many verdicts is longer than the window.
        self.run(&format!(
            "document.querySelector({}).scrollIntoView({{block: 'nearest'}})",
            json!(selector)
        ));
        let found = self.run(&format!(
            "const box = document.querySelector({}).getBoundingClientRect();\
             return [box.x + box.width / 2, box.y + box.height / 2];",
            json!(selector)
        ));
        self.click(number(&found[0]), number(&found[1]));
    }

    /// Types a text where the focus is.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn write(&self, text: &str) {
        text.chars().for_each(|letter| self.press(Key(letter)));
    }

    /// Presses a key.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn press(&self, Key(key): Key) {
        let press = ["keyDown", "keyUp"].map(|what| json!({ "type": what, "value": key }));
        let source = json!({ "type": "key", "id": "keyboard", "actions": press });
        self.post("/actions", json!({ "actions": [source] }));
    }

    /// What the page complained about since the last time: errors, and what its policy forbade.
    ///
    /// # Panics
    ///
    /// If the browser is gone.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "browser" }));
        let entries = log.as_array().expect("a log is a list").iter();
        // Advice on how to be faster is no complaint.
        let entries = entries.filter(|entry| entry["level"] == "SEVERE");
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    fn mouse(&self, actions: &[Value]) {
        let source = json!({
            "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" },
            "actions": actions,
        });
        self.post("/actions", json!({ "actions": [source] }));
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let address = format!("{}{path}", self.session);
        let mut response = self
            .agent
            .post(&address)
            .send_json(&body)
            .unwrap_or_else(|error| panic!("{address}: {error}"));
        let status = response.status();
        let mut answer: Value = response.body_mut().read_json().expect("it answers in JSON");
        assert!(status.is_success(), "{address} {body}: {}", answer["value"]["message"]);
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends the browser; the driver has no other child.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The driver says on which port it listens.
fn port_of(driver: &mut Child) -> u16 {
    let stdout = driver.stdout.take().expect("it is a pipe");
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("it says nothing but text");
        if let Some((_, rest)) = line.split_once("started successfully on port ") {
            return rest.trim_end_matches('.').parse().expect("a port");
        }
    }
    panic!("chromedriver ended without a word on its port");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}
