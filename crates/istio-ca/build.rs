//! Compiles the protocol. No `protoc` is needed: the compiler is a library.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/ca.proto");
    let files = protox::compile(["proto/ca.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        // The server's half is read by the tests of the client as well.
        .build_server(true)
        .compile_fds(files)?;
    Ok(())
}
