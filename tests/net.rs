//! Sockets under hardship that needs a process of its own.

use std::process::Command;
use std::time::Duration;

use posthouse::net::guard::{Auth, Guarded, Passwords, Rules};
use posthouse::net::listen::{Listener, bind};
use tokio::net::TcpStream;

fn listener() -> Listener {
    let allow = ["127.0.0.0/8".parse().unwrap()];
    let rules = Rules { allow: &allow, auth: Auth::None, passwords: Passwords::InsideTls };
    bind(&Guarded::admit("127.0.0.1:0".parse().unwrap(), &rules).unwrap()).unwrap()
}

#[cfg(unix)]
#[test]
fn a_relay_that_runs_out_of_file_descriptors_waits_and_goes_on() {
    let status = Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$0\" --ignored --exact inside_a_process_with_few_descriptors"])
        .arg(std::env::current_exe().unwrap())
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
#[ignore = "uses up all file descriptors: run by the test above in a process of its own"]
async fn inside_a_process_with_few_descriptors() {
    let listener = listener();
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(listener.address()).await {
        clients.push(client);
        assert!(clients.len() < 1000, "there is no shortage");
    }
    let short = tokio::time::timeout(Duration::from_millis(300), listener.accept()).await;
    assert!(short.is_err(), "there is no descriptor for another connection");
    let first = clients.remove(0);
    drop(clients);
    let (_accepted, peer) = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await.unwrap();
    assert_eq!(peer, first.local_addr().unwrap());
}
