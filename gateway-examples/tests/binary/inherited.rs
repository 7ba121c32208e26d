//! A socket that outlives the processes that serve it, as service managers pass it on.

use std::{
    net::TcpListener,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::common::{Gateway, raw, status, temporary_file};

const DOCUMENT: &str = "
listen: ${LISTEN}
routes: [{name: all, prefix: /, fallback: {status: 200}, upstream: 'http://127.0.0.1:1'}]
";

/// A gateway on this socket. The shell puts it where the service manager's protocol says, and names the process.
fn on(listener: &TcpListener) -> Gateway {
    let file = temporary_file("gateway.yaml", DOCUMENT);
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_gateway")).args(["run", "--config"]).arg(file);
    command.env("LISTEN", listener.local_addr().unwrap().to_string());
    command.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap()))).stderr(Stdio::null());
    Gateway::start(command)
}

#[test]
fn one_gateway_takes_over_from_another_and_no_client_is_turned_away() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut old = on(&listener);
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (address, done) = (address.clone(), Arc::clone(&done));
            thread::spawn(move || {
                let mut answers = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = raw(&address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
                    assert_eq!(status(&answer), 200, "after {answers} answers");
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    for _ in 0..5 {
        let new = on(&listener);
        old.signal("TERM");
        assert_eq!(old.wait(Duration::from_secs(10)).code(), Some(0));
        old = new;
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.join().unwrap() > 5);
    }
}
