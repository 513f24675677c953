//! One who asks well, and those who don't.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::*;

/// Something that listens on a port of this machine, for as long as it is kept.
struct Server(SocketAddr, JoinHandle<()>);

impl Server {
    async fn start(most: usize, patience: Duration) -> Self {
        let any = Address::Tcp("127.0.0.1:0".parse().unwrap());
        let listener = Listener::bind(&any).await.unwrap();
        let address = listener.port().unwrap();
        let serving = async move {
            answer_all(listener, &Arc::new(Metrics::new()), most, patience).await;
        };
        Self(address, tokio::spawn(serving))
    }

    async fn send(&self, request: &str) -> String {
        let stream = TcpStream::connect(self.0).await.unwrap();
        exchange(stream, request).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.1.abort();
    }
}

async fn exchange(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Who is refused before all was read gets the answer, and then perhaps a reset.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

#[tokio::test]
async fn only_what_is_there_is_given_and_only_to_get() {
    let server = Server::start(8, PATIENCE).await;
    let metrics = server.send(&get("/metrics")).await;
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(metrics.contains("content-type: application/openmetrics-text; version=1.0.0;"));
    assert!(metrics.contains("salt_herald_bus_connected 0") && metrics.ends_with("# EOF\n"));
    let healthy = server.send(&get("/-/healthy")).await;
    assert!(healthy.starts_with("HTTP/1.1 200 OK\r\n") && healthy.ends_with(HEALTHY));
    for (request, status) in [
        (get("/"), "404"),
        (get("/metrics/"), "404"),
        (get("/../etc/passwd"), "404"),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".to_owned(), "405"),
        ("HEAD /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "405"),
        (format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)), "431"),
        (format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100)), "431"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000)), "431"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = server.send(&request).await;
        let start: String = request.chars().take(40).collect();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{start}: {answer}");
    }
}

#[tokio::test]
async fn who_sticks_is_cut_off_and_holds_up_nobody_for_long() {
    let patience = Duration::from_millis(300);
    let server = Server::start(2, patience).await;
    let mut stuck = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(server.0).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHo").await.unwrap();
        stuck.push(stream);
    }
    let began = Instant::now();
    let answer = server.send(&get("/-/healthy")).await;
    assert!(answer.ends_with(HEALTHY), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for mut stream in stuck {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert_eq!(rest, b"", "it is cut off without a word");
    }
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.sock");
    let address = Address::Unix(path.clone());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let listener = Listener::bind(&address).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let taken = Listener::bind(&address).await.err().unwrap();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    let metrics = Arc::new(Metrics::new());
    let answering = answer_all(listener, &metrics, 1, PATIENCE);
    let asking = async {
        // The one who looked whether somebody listens comes first.
        exchange(UnixStream::connect(&path).await.unwrap(), &get("/-/healthy")).await
    };
    let answer = tokio::select! { answer = asking => answer, () = answering => String::new() };
    assert!(answer.ends_with(HEALTHY), "{answer}");
    assert!(!path.exists(), "it goes with who listened");
    std::fs::write(&path, "a letter").unwrap();
    assert!(Listener::bind(&address).await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a letter");
}

#[tokio::test]
async fn it_moves_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let mut web = Web::start(Arc::new(Metrics::new()), None);
    for (now, before) in [("a", "b"), ("b", "a")] {
        web.change_to(Some(Address::Unix(place(now))));
        until(|| place(now).exists() && !place(before).exists()).await;
        let stream = UnixStream::connect(place(now)).await.unwrap();
        assert!(exchange(stream, &get("/-/healthy")).await.ends_with(HEALTHY));
    }
    drop(web);
    until(|| !place("b").exists()).await;
}

async fn until(there: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !there() {
        assert!(Instant::now() < deadline, "it never comes");
        tokio::task::yield_now().await;
    }
}
