//! A burst of connections finds room in the queue of a listener that has not had its turn yet.

#![cfg(all(target_os = "linux", any(feature = "ring", feature = "aws-lc-rs")))]

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use meshtls::acceptor::PortProtocol;
use meshtls::svid::SvidHandle;
use meshtls::{IdentityFrom, Workload};
use meshtls_testkit::TestCa;

const ID: &str = "spiffe://cluster.local/ns/foo/sa/httpbin";

/// On a runtime of one thread, which the test keeps busy: nothing is accepted meanwhile.
#[tokio::test]
async fn five_hundred_connections_at_once() {
    let ca = TestCa::new("cluster.local");
    let identity = SvidHandle::new(ca.svid(ID), ca.bundles());
    let workload = Workload::builder(ID.parse().unwrap(), IdentityFrom::Source(Arc::new(identity)))
        .start()
        .unwrap();
    let listener = workload
        .listen("127.0.0.1:0".parse().unwrap())
        .protocol(PortProtocol::Http)
        .bind()
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    // A connection that finds no room is tried again after a second.
    let connected: Vec<_> = (0..500)
        .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(900)).ok())
        .collect();
    assert_eq!(connected.len(), 500);
}
