//! A headless Chromium, and a page that reports every error on its console.
//!
//! Without Chromium, a test prints SKIPPED and its name; with `CI=true` it fails.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::cdp::browser_protocol::emulation::{MediaFeature, SetDeviceMetricsOverrideParams};
use chromiumoxide::cdp::browser_protocol::log::{EventEntryAdded, LogEntryLevel, LogEntrySource};
use chromiumoxide::cdp::js_protocol::runtime::{ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown};
use chromiumoxide::layout::Point;
use chromiumoxide::page::{Page, ScreenshotParams};
use futures::StreamExt;
use tempfile::TempDir;

use crate::support;

const CHROMIUM: &str = "/usr/bin/chromium";
const LONG: Duration = Duration::from_secs(30);
/// Flags that keep it from contacting anything on the network but the server under test.
const QUIET: [&str; 7] = [
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "lang=en-US",
];

/// The center of an element that is uncovered and at the same position in two consecutive frames; otherwise nothing.
/// From then on, `wasClicked` says whether a click reached that element.
const REACHABLE: &str = "(async () => {
    const middle = () => {
        const element = document.querySelector(SELECTOR);
        element?.scrollIntoView({ block: 'center', behavior: 'instant' });
        const box = element?.getBoundingClientRect();
        return element && { element, x: box.x + box.width / 2, y: box.y + box.height / 2 };
    };
    const before = middle();
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    const after = middle();
    if (!before || !after || before.element !== after.element || before.x !== after.x || before.y !== after.y) return [];
    if (!after.element.contains(document.elementFromPoint(after.x, after.y))) return [];
    window.wasClicked = false;
    window.addEventListener('click', (event) => { window.wasClicked = after.element.contains(event.target); }, { capture: true, once: true });
    return [after.x, after.y];
})()";

/// A page, its browser, and its console errors.
pub struct Tab {
    page: Page,
    complaints: Arc<Mutex<Vec<String>>>,
    browser: Browser,
    _profile: TempDir,
}

/// Runs a test on a page, and closes the browser afterward.
pub fn with_tab<F: Future<Output = Tab>>(test: &str, body: impl FnOnce(Tab) -> F) {
    if !Path::new(CHROMIUM).exists() {
        assert!(std::env::var_os("CI").is_none(), "{test} needs {CHROMIUM}");
        return support::skipped(test, "there is no Chromium");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut tab = body(Tab::open().await).await;
        tab.browser.close().await.unwrap();
        _ = tab.browser.wait().await;
        assert_eq!(
            *tab.complaints.lock().unwrap(),
            Vec::<String>::new(),
            "errors on the console"
        );
    });
}

impl Tab {
    async fn open() -> Self {
        let profile = TempDir::new().unwrap();
        let config = BrowserConfig::builder()
            .chrome_executable(CHROMIUM)
            .no_sandbox()
            .user_data_dir(profile.path())
            .window_size(1280, 1000)
            .viewport(None)
            .launch_timeout(LONG)
            .args(QUIET)
            .build();
        let (browser, mut messages) = Browser::launch(config.unwrap()).await.unwrap();
        tokio::spawn(async move { while messages.next().await.is_some() {} });
        let page = browser.new_page("about:blank").await.unwrap();
        let tab = Self {
            page,
            complaints: Arc::default(),
            browser,
            _profile: profile,
        };
        tab.listen().await;
        tab
    }

    async fn listen(&self) {
        self.page.enable_log().await.unwrap();
        let mut entries = self.page.event_listener::<EventEntryAdded>().await.unwrap();
        let mut calls = self.page.event_listener::<EventConsoleApiCalled>().await.unwrap();
        let mut thrown = self.page.event_listener::<EventExceptionThrown>().await.unwrap();
        let complaints = self.complaints.clone();
        tokio::spawn(async move {
            loop {
                let complaint = tokio::select! {
                    Some(event) = entries.next() => {
                        // Error responses are shown by the page itself, and tested there.
                        let counts = event.entry.level == LogEntryLevel::Error && event.entry.source != LogEntrySource::Network;
                        counts.then(|| event.entry.text.clone())
                    }
                    Some(event) = calls.next() => (event.r#type == ConsoleApiCalledType::Error).then(|| format!("{:?}", event.args)),
                    Some(event) = thrown.next() => Some(format!("{:?}", event.exception_details)),
                    else => return,
                };
                complaints.lock().unwrap().extend(complaint);
            }
        });
    }

    pub async fn goto(&self, url: &str) {
        self.page.goto(url).await.unwrap();
    }

    /// Sets the width of a phone or a desktop screen.
    pub async fn resize(&self, width: i64, height: i64) {
        let metrics = SetDeviceMetricsOverrideParams::new(width, height, 1.0, false);
        self.page.execute(metrics).await.unwrap();
    }

    /// Sets the system's preference to `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let feature = MediaFeature::new("prefers-color-scheme", scheme);
        self.page.emulate_media_features(vec![feature]).await.unwrap();
    }

    /// The value of an expression.
    pub async fn value<T: serde::de::DeserializeOwned>(&self, expression: &str) -> T {
        let result = self.page.evaluate_expression(expression).await;
        let result = result.unwrap_or_else(|error| panic!("{expression}: {error}"));
        result
            .into_value()
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Runs a statement.
    pub async fn run(&self, statement: &str) {
        self.value::<bool>(&format!("({statement}, true)")).await;
    }

    /// Waits until an expression is true.
    pub async fn wait(&self, expression: &str) {
        let started = Instant::now();
        while !self.value::<bool>(&format!("Boolean({expression})")).await {
            if started.elapsed() > LONG {
                let text: String = self.value("document.body.innerText").await;
                panic!("not within {} s: {expression}\n{text}", LONG.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until a panel is `ready`, `empty` or `error`.
    pub async fn wait_for(&self, panel: &str, state: &str) {
        self.wait(&format!(
            "document.getElementById('{panel}')?.dataset.state === '{state}'"
        ))
        .await;
    }

    /// The text of an element.
    pub async fn text(&self, selector: &str) -> String {
        self.wait(&format!("document.querySelector({selector:?})")).await;
        self.value(&format!("document.querySelector({selector:?}).innerText"))
            .await
    }

    /// The texts of elements.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        self.value(&format!(
            "[...document.querySelectorAll({selector:?})].map((e) => e.innerText)"
        ))
        .await
    }

    /// Clicks once the element is still and uncovered; retries if the page moved under the mouse in between, as happens
    /// when panels receive their rows.
    pub async fn click(&self, selector: &str) {
        let reachable = REACHABLE.replace("SELECTOR", &format!("{selector:?}"));
        let started = Instant::now();
        loop {
            assert!(started.elapsed() < LONG, "cannot be clicked: {selector}");
            if let &[x, y] = self.value::<Vec<f64>>(&reachable).await.as_slice() {
                self.page.click(Point { x, y }).await.unwrap();
                if self.value("window.wasClicked !== false").await {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Focuses an element and types.
    pub async fn type_into(&self, selector: &str, text: &str) {
        let element = self.page.find_element(selector).await.unwrap();
        element.focus().await.unwrap();
        element.type_str(text).await.unwrap();
    }

    /// Presses a key, by name, in the focused element.
    pub async fn press(&self, selector: &str, key: &str) {
        let element = self.page.find_element(selector).await.unwrap();
        element.press_key(key).await.unwrap();
    }

    /// Takes a screenshot of the whole page, if `CLICKREC_SCREENSHOTS` names a folder.
    pub async fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("CLICKREC_SCREENSHOTS") else {
            return;
        };
        let whole = ScreenshotParams::builder().full_page(true).build();
        self.page
            .save_screenshot(whole, Path::new(&folder).join(name))
            .await
            .unwrap();
    }
}
