//! A cluster in child processes: a scheduler and executors, which stop with the test.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::Shop;

/// A scheduler and its executors.
pub struct Cluster<'a> {
    shop: &'a Shop,
    options: &'a [&'a str],
    pub scheduler: Child,
    pub executors: Vec<Child>,
    pub address: String,
    logs: Vec<PathBuf>,
}

impl<'a> Cluster<'a> {
    /// Starts this many executors; all processes have the same options.
    pub fn start(shop: &'a Shop, options: &'a [&'a str], executors: usize) -> Self {
        let args = ["scheduler", "--bind", "127.0.0.1:0", "--executor-timeout", "8s"];
        let (scheduler, address, log) = process(shop, options, &args);
        let mut cluster = Self {
            shop,
            options,
            scheduler,
            executors: vec![],
            address,
            logs: vec![log],
        };
        for _ in 0..executors {
            cluster.add_executor();
        }
        cluster
    }

    pub fn add_executor(&mut self) {
        let args = ["executor", "--scheduler", &self.address, "--cores", "2"];
        let (executor, _, log) = process(self.shop, self.options, &args);
        self.executors.push(executor);
        self.logs.push(log);
    }

    /// The value for `--engine`.
    pub fn engine(&self) -> String {
        format!("df://{}", self.address)
    }

    /// Stops all processes; returns their logs.
    pub fn end(mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.logs)
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        for process in self.executors.iter_mut().chain([&mut self.scheduler]) {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

/// Starts a process of a cluster, and waits for it to print its address; also returns its log.
fn process(shop: &Shop, options: &[&str], args: &[&str]) -> (Child, String, PathBuf) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let kind = args[0];
    let log = shop.path(&format!("{kind}-{}.log", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let mut child = shop
        .command(&[options, args].concat())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        let said = fs::read_to_string(&log).unwrap();
        let told = said.lines().find_map(|line| line.strip_prefix(&format!("{kind} on ")));
        if let Some(told) = told {
            return (child, told.split(' ').next().unwrap().to_owned(), log);
        }
        assert!(child.try_wait().unwrap().is_none(), "the {kind} ended: {said}");
        assert!(Instant::now() < give_up, "the {kind} did not start: {said}");
        thread::sleep(Duration::from_millis(20));
    }
}
