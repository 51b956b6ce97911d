//! The server: under STRICT, it answers each line with `pong`, and tells of each change of its identity.

use std::error::Error;

use flags::WorkloadFlags;
use meshtls::PoliciesFrom;
use meshtls::acceptor::Inbound;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

pub(crate) async fn serve(flags: &WorkloadFlags) -> Result<(), Box<dyn Error>> {
    let workload = flags
        .builder()?
        .policies(PoliciesFrom::text("strict.yaml", STRICT))
        .reporter(std::sync::Arc::new(|report: &meshtls::source::Report<'_>| println!("{report}")))
        .start()?;
    let mut changes = workload
        .identity_changes()
        .ok_or("the identity is not renewed here")?;
    let mut listener = workload.listen(([127, 0, 0, 1], 0).into()).bind().await?;
    println!("listening on {}", listener.local_addr()?.port());
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Some(Inbound::Mesh(mesh)) => {
                    tokio::spawn(async move { drop(answer(mesh.stream).await) });
                }
                Some(other) => println!("not of the mesh: {other:?}"),
                None => return Ok(()),
            },
            changed = changes.next() => println!("generation {}", changed.generation()),
            // The conductor has gone, or says that it is over.
            line = input.next_line() => if line?.is_none() {
                return Ok(());
            },
        }
    }
}

async fn answer(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    while lines.next_line().await?.is_some() {
        write.write_all(b"pong\n").await?;
        write.flush().await?;
    }
    Ok(())
}

const STRICT: &str = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
    metadata: { name: default, namespace: istio-system }\nspec: { mtls: { mode: STRICT } }\n";
