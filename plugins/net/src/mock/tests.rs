//! A client over loopback.

use futures::StreamExt;
use lograil_plugin::ShutdownTrigger;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;

async fn start() -> (std::net::SocketAddr, ShutdownTrigger) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = ShutdownTrigger::new();
    tokio::spawn(serve(listener, shutdown));
    (address, trigger)
}

#[tokio::test]
async fn a_client_gets_what_it_asks_for_until_the_server_stops() {
    let (address, trigger) = start().await;
    let url = format!("ws://{address}/ws/logs?interval_ms=10&service=shop&level=ERROR");
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = client_async(url, stream).await.unwrap();
    for _ in 0..5 {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else { panic!("text") };
        let entry: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&entry["service"], &entry["level"]), (&"shop".into(), &"ERROR".into()));
    }
    trigger.request();
    let mut last = None;
    while let Some(Ok(message)) = socket.next().await {
        last = Some(message);
    }
    assert!(matches!(last, Some(Message::Close(Some(frame))) if frame.code == CloseCode::Away));
}

#[tokio::test]
async fn wrong_values_are_answered_400_and_other_paths_404() {
    let (address, _trigger) = start().await;
    let cases = [("/ws/logs?level=LOUD", 400, "level"), ("/ws/other", 404, "/ws/logs")];
    for (path, status, named) in cases {
        let stream = TcpStream::connect(address).await.unwrap();
        let refused = client_async(format!("ws://{address}{path}"), stream).await;
        let Err(Error::Http(answer)) = refused else { panic!("{path} is refused") };
        assert_eq!(answer.status(), status);
        let body = String::from_utf8(answer.body().clone().unwrap_or_default()).unwrap();
        assert!(body.is_empty() || body.contains(named), "{body}");
    }
}
