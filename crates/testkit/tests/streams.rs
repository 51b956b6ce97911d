//! Faulty streams and the hand-moved clock do what they say.

use std::io::ErrorKind;
use std::time::Duration;

use meshtls_testkit::{Ending, Faults, FaultyStream, ManualClock, test_time};
use rustls::time_provider::TimeProvider as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::Instant;

#[tokio::test]
async fn without_faults_nothing_changes() {
    let (near, mut far) = duplex(64);
    let mut near = FaultyStream::new(near, Faults::default(), Faults::default());
    near.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    far.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"ping");
    far.write_all(b"pong").await.unwrap();
    drop(far);
    let mut rest = vec![];
    near.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"pong");
}

#[tokio::test]
async fn reads_and_writes_are_cut() {
    let (near, mut far) = duplex(64);
    let mut near = FaultyStream::new(near, Faults::chunks(2), Faults::chunks(3));
    assert_eq!(near.write(b"abcdef").await.unwrap(), 3);
    far.write_all(b"uvwxyz").await.unwrap();
    let mut six = [0; 6];
    assert_eq!(near.read(&mut six).await.unwrap(), 2);
    near.read_exact(&mut six[2..]).await.unwrap();
    assert_eq!(&six, b"uvwxyz", "nothing is lost");
}

#[tokio::test]
async fn a_stream_ends_at_its_byte() {
    for (name, end, read, write) in [
        ("closed", Ending::Closed, None, ErrorKind::BrokenPipe),
        ("reset", Ending::Reset, Some(ErrorKind::ConnectionReset), ErrorKind::ConnectionReset),
    ] {
        let (near, mut far) = duplex(64);
        let faults = Faults::ending(3, end);
        let mut near = FaultyStream::new(near, faults, faults);
        far.write_all(b"uvwxyz").await.unwrap();
        let mut got = vec![];
        let result = near.read_to_end(&mut got).await;
        assert_eq!(got, b"uvw", "{name}");
        assert_eq!(result.err().map(|error| error.kind()), read, "{name}");

        let error = near.write_all(b"abcdef").await.unwrap_err();
        assert_eq!(error.kind(), write, "{name}");
        drop(near);
        let mut got = vec![];
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"abc", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_read_waits() {
    let (near, mut far) = duplex(64);
    let faults = Faults::chunks(1).with_delay(Duration::from_secs(5));
    let mut near = FaultyStream::new(near, faults, Faults::default());
    far.write_all(b"abc").await.unwrap();
    let start = Instant::now();
    let mut three = [0; 3];
    near.read_exact(&mut three).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 15);
}

#[test]
fn the_clock_moves_by_hand_only() {
    let clock = ManualClock::new(test_time());
    assert_eq!(clock.current_time(), Some(test_time()));
    clock.advance(Duration::from_millis(1500));
    assert_eq!(clock.now().as_secs(), test_time().as_secs() + 1);
    clock.set(test_time());
    assert_eq!(clock.current_time(), Some(test_time()));
}
