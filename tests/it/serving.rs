//! `clickrec serve` in a child process, and hand-written requests to it: a client may send what no library would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Shop, signal};

const LONG: Duration = Duration::from_secs(60);

/// A server over a shop's lake, which stops with the test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    said: Arc<Mutex<String>>,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The machine-readable code of an error.
    pub fn error_code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl Server {
    /// Starts it, and waits until it can recommend.
    pub fn start(shop: &Shop, args: &[&str]) -> Self {
        let server = Self::start_with(shop, args, &[]);
        server.wait("a model", || server.get("/api/v1/health").code == 200);
        server
    }

    /// Starts it with additional environment variables, and waits only for its address.
    pub fn start_with(shop: &Shop, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let all = [&["serve", "--bind", "127.0.0.1:0", "--poll", "100ms"], args].concat();
        let mut command = shop.command(&all);
        command.env_remove("CLICKREC_TOKEN").envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, address) = mpsc::channel();
        let said = Arc::<Mutex<String>>::default();
        let log = said.clone();
        // Keeps reading, so that the server never blocks on output.
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if let Some(rest) = line.split_once("dashboard at http://").map(|(_, rest)| rest) {
                    let address = rest.split('/').next().unwrap();
                    sender.send(address.parse().unwrap()).unwrap();
                } else {
                    eprintln!("serve: {line}");
                }
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let address = address.recv_timeout(LONG).expect("the server does not start");
        Self { child, address, said }
    }

    /// Its log so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, &[("Content-Type", "application/json")], body)
    }

    /// Sends a request with these headers in addition to `Host`, which they may override.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        // A server that rejects a request may close the connection before reading all of it.
        _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
        let mut bytes = vec![];
        let read = stream.read_to_end(&mut bytes);
        answer(&bytes).unwrap_or_else(|| panic!("{method} {path}: no answer ({read:?})"))
    }

    /// What the stream of commits tells from now on, first the current state; ends after a minute.
    pub fn commits(&self) -> impl Iterator<Item = Value> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let started = Instant::now();
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let status = lines.next().unwrap();
        assert!(status.contains(" 200 "), "{status}");
        // There is a line every few seconds, even if there is nothing to tell.
        let lines = lines.take_while(move |_| started.elapsed() < LONG);
        lines.filter_map(|line| Some(serde_json::from_str(line.strip_prefix("data: ")?).unwrap()))
    }

    pub fn wait(&self, what: &str, happened: impl Fn() -> bool) {
        let started = Instant::now();
        while !happened() {
            assert!(started.elapsed() < LONG, "no {what} within {} s", LONG.as_secs());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Tells it to stop; returns whether it exited successfully.
    pub fn stop(mut self) -> bool {
        signal(&self.child, "TERM");
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn answer(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some(Answer {
        code: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_owned(),
        body: if chunked { joined(body) } else { body.to_owned() },
    })
}

/// The chunks of a body, without their lengths.
fn joined(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or(0);
        text += rest.get(..length).unwrap_or_default();
        body = rest.get(length + 2..).unwrap_or_default();
    }
    text
}
