//! A file is changed under a running gateway.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    common::{Gateway, command, get, status, temporary_file},
    listeners::{get_encrypted, mirror},
};

/// A gateway that serves a file, and what it says.
struct Served {
    gateway: Gateway,
    file: PathBuf,
    said: PathBuf,
}

impl Served {
    fn start(file: PathBuf) -> Self {
        let said = temporary_file("said.txt", "");
        let mut command = command();
        command.args(["run", "--config"]).arg(&file).stderr(fs::File::create(&said).unwrap());
        Self { gateway: Gateway::start(command), file, said }
    }

    fn write(&self, document: &str) {
        fs::write(&self.file, document).unwrap();
    }

    fn status(&self, path: &str) -> u16 {
        status(&get(self.gateway.address(), path))
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> u64 {
        let metrics = get(self.gateway.address(), "/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        assert!(line.is_some(), "{name} in {metrics}");
        line.unwrap().parse().unwrap()
    }

    fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}; {}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks for a reload and waits until it is over.
    fn hang_up(&self) {
        let over = |served: &Self| {
            ["swapped", "unchanged", "refused"]
                .map(|outcome| {
                    served.metric(&format!("gateway_config_reloads_total{{outcome=\"{outcome}\"}}"))
                })
                .into_iter()
                .sum::<u64>()
        };
        let before = over(self);
        self.gateway.signal("HUP");
        self.until("the reload ends", |served| over(served) > before);
    }
}

/// A limit of three on `/limited`, and a route with this path.
fn document(path: &str) -> String {
    format!(
        "listen: 127.0.0.1:0
metrics: {{path: /metrics}}
routes:
  - name: limited
    path: /limited
    rate_limit: {{requests: 3, per: 1d, by: everyone}}
    fallback: {{status: 200}}
    upstream: http://127.0.0.1:1
  - {{name: other, path: {path}, fallback: {{status: 200}}, upstream: 'http://127.0.0.1:1'}}
"
    )
}

#[test]
fn a_file_is_followed_through_mistakes_and_replacements() {
    let served = Served::start(temporary_file("gateway.yaml", &document("/one")));
    assert_eq!((served.status("/one"), served.status("/two")), (200, 404));
    assert_eq!([(); 2].map(|()| served.status("/limited")), [200, 200]);

    served.write(&document("/two"));
    served.until("the new route is there", |served| served.status("/two") == 200);
    assert_eq!(served.status("/one"), 404);
    assert_eq!(served.metric("gateway_config_generation"), 2);
    assert!(served.said().contains("configuration reloaded generation=2"), "{}", served.said());

    served.write(&document("/three").replace("fallback", "falback"));
    served.until("it is refused", |served| served.metric("gateway_config_last_reload_failed") == 1);
    assert_eq!((served.status("/two"), served.status("/three")), (200, 404), "the one before goes on");
    let mistake =
        format!("{}:7:5: routes[0]: unknown key `falback` (did you mean `fallback`?)", served.file.display());
    served.until("it is told", |served| served.said().contains(&mistake));

    fs::remove_file(&served.file).unwrap();
    served.until("a file that is gone is told", |served| served.said().contains("No such file"));
    assert_eq!(served.status("/two"), 200);

    let beside = served.file.with_extension("next");
    fs::write(&beside, document("/three")).unwrap();
    fs::rename(beside, &served.file).unwrap();
    served.until("another file took its name", |served| served.status("/three") == 200);
    assert_eq!(served.metric("gateway_config_last_reload_failed"), 0);

    served.write(&document("/four").replace("127.0.0.1:0", "127.0.0.1:1"));
    served.until("the rest is in force", |served| served.status("/four") == 200);
    served.until("what is not is told", |served| {
        served.said().contains("need a restart; the rest is in force keys=\"listen\"")
    });

    assert_eq!([(); 2].map(|()| served.status("/limited")), [200, 429], "what was used up stays so");
}

#[test]
fn links_are_followed_to_where_they_lead_now() {
    let folder = temporary_file("there", "").parent().unwrap().to_owned();
    let release = |name: &str, path: &str| {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("gateway.yaml"), document(path)).unwrap();
    };
    let turn = |name: &str| {
        symlink(name, folder.join("next")).unwrap();
        fs::rename(folder.join("next"), folder.join("now")).unwrap();
    };
    release("first", "/one");
    release("second", "/two");
    turn("first");
    let served = Served::start(folder.join("now/gateway.yaml"));
    assert_eq!(served.status("/one"), 200);
    turn("second");
    served.until("the link leads elsewhere", |served| served.status("/two") == 200);
    turn("first");
    served.until("and back", |served| served.status("/one") == 200);
}

/// Two files that fit, beside a document that names them by their names alone.
fn certificate(folder: &Path) -> rcgen::Certificate {
    let made = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
    fs::write(folder.join("a.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("a.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert
}

#[test]
fn certificates_are_shown_as_they_are_now() {
    let upstream = mirror();
    let document = format!(
        "listen:
  - 127.0.0.1:0
  - address: 127.0.0.1:0
    tls: {{certificates: [{{certificate: a.pem, key: a.key}}]}}
metrics: {{path: /metrics}}
routes:
  - {{prefix: /, upstream: '{upstream}'}}
"
    );
    let file = temporary_file("gateway.yaml", &document);
    let folder = file.parent().unwrap().to_owned();
    let first = certificate(&folder);
    let served = Served::start(file);
    let told = &served.gateway.announced;
    let encrypted =
        told.split_whitespace().find_map(|word| word.strip_prefix("https://")).unwrap().to_owned();
    assert_eq!(status(&get_encrypted(&encrypted, &first)), 200);
    let second = certificate(&folder);
    served.until("a new certificate is in force", |served| served.metric("gateway_config_generation") == 2);
    assert_eq!(status(&get_encrypted(&encrypted, &second)), 200);
    assert!(!served.said().contains("ERROR"), "{}", served.said());

    fs::write(folder.join("a.key"), "none").unwrap();
    served.until("a broken key is refused", |served| served.metric("gateway_config_last_reload_failed") == 1);
    assert_eq!(status(&get_encrypted(&encrypted, &second)), 200);
}

/// Asks again and again on one connection; the statuses that were no 200 and the requests that had no answer.
fn ask_on(address: &str, stop: &AtomicBool, answered: &AtomicU64) -> Vec<String> {
    let mut failed = Vec::new();
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    stream.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    while !stop.load(Ordering::Relaxed) {
        stream.get_mut().write_all(b"GET /steady HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).unwrap() == 0 {
                failed.push(format!("closed after {head:?}"));
                return failed;
            }
        }
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        match status(&head) {
            200 => answered.fetch_add(1, Ordering::Relaxed),
            _ => {
                failed.push(head);
                0
            }
        };
    }
    failed
}

#[test]
fn sixty_reloads_under_load_fail_no_request() {
    let upstream = mirror();
    let steady = |path: &str| {
        format!("{}  - {{name: steady, path: /steady, upstream: '{upstream}'}}\n", document(path))
    };
    let served = Served::start(temporary_file("gateway.yaml", &steady("/0")));
    assert_eq!([(); 2].map(|()| served.status("/limited")), [200, 200]);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (address, stop) = (served.gateway.address().to_owned(), Arc::clone(&stop));
            let answered = Arc::clone(&answered);
            thread::spawn(move || ask_on(&address, &stop, &answered))
        })
        .collect();
    let mut generation = 1;
    for number in 1..=60 {
        let good = steady(&format!("/{number}"));
        let is_good = number % 6 != 0;
        // Every sixth is cut off, as a file that is half written.
        let bad = &good[..good.find("rate_limit: {").unwrap() + 20];
        let before = answered.load(Ordering::Relaxed);
        served.write(if is_good { &good } else { bad });
        served.hang_up();
        generation += u64::from(is_good);
        assert_eq!(served.metric("gateway_config_generation"), generation, "{number}");
        assert_eq!(served.metric("gateway_config_last_reload_failed"), u64::from(!is_good), "{number}");
        let serving = if is_good { number } else { number - 1 };
        assert_eq!(served.status(&format!("/{serving}")), 200);
        served.until("requests are served", |_| answered.load(Ordering::Relaxed) > before);
    }
    stop.store(true, Ordering::Relaxed);
    let failed: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!([(); 2].map(|()| served.status("/limited")), [200, 429]);
}
