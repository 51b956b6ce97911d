//! What goes wrong with files of an identity and with their rotation, one test for each: the rest of the catalogue whose simple cases
//! are in `identity.rs`.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use meshtls_ca::{AuthorityOptions, RandomSerials};
use meshtls_identity::{AcceptedDomains, IdMatcher};
use meshtls_rustls::{AlpnAnswer, MeshClient, MeshServer, TlsProfile};
use meshtls_source::{IdentityChange, PemFiles, UnixTime};
use meshtls_svid::{SvidSource, SvidUnavailable};
use meshtls_testkit::TestCa;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::identity::{Files, ID};

/// Kubernetes mounts volumes so: the files are links through `..data`, which is swapped as one.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_swapped_link_brings_all_files_at_once() {
    use std::os::unix::fs::symlink;

    let mut files = Files::new(&TlsProfile::ring());
    let at = files.directory.path().to_owned();
    let version = |name: &str, files: &Files| {
        let folder = at.join(name);
        fs::create_dir(&folder).unwrap();
        let svid = files.ca.svid(ID);
        fs::write(folder.join("tls.crt"), svid.chain_pem()).unwrap();
        fs::write(folder.join("tls.key"), svid.key_pem()).unwrap();
        fs::write(folder.join("ca.crt"), files.ca.bundle().to_pem()).unwrap();
        svid
    };
    version("..1", &files);
    symlink("..1", at.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        fs::remove_file(at.join(name)).unwrap();
        symlink(format!("..data/{name}"), at.join(name)).unwrap();
    }
    let watched = files.watched(IdentityChange::Refuse);
    watched.reports.take();

    // Another authority too: certificate, key and root fit together only as a set.
    files.ca = TestCa::new("prod.example");
    let new = version("..2", &files);
    symlink("..2", at.join("..data_tmp")).unwrap();
    fs::rename(at.join("..data_tmp"), at.join("..data")).unwrap();
    let reports = watched.reports.after_some_looks().await;
    assert!(reports.ends_with("without overlap, generation 1"), "{reports}");
    assert_eq!(watched.live.newest().unwrap().svid().serial(), new.serial());
}

#[tokio::test(start_paused = true)]
async fn files_that_are_deleted_and_made_again() {
    let files = Files::new(&TlsProfile::ring());
    let watched = files.watched(IdentityChange::Refuse);
    let new = files.ca.svid(ID);
    for path in [files.paths().certificate, files.paths().key] {
        fs::remove_file(path).unwrap();
    }
    assert_eq!(watched.reports.after_some_looks().await, "kept: unreadable");
    assert!(watched.live.snapshot().is_ok(), "what is in use stays in use");
    files.write(&new);
    assert_eq!(watched.reports.after_some_looks().await, "generation 1");
}

/// Opening a FIFO would wait for its writer, and a device might never end.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_pipe_or_a_device_in_place_of_a_file() {
    let files = Files::new(&TlsProfile::ring());
    let watched = files.watched(IdentityChange::Refuse);
    let key = files.paths().key;
    fs::remove_file(&key).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(&key)
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(watched.reports.after_some_looks().await, "kept: not_a_file");
    fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &key).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "", "the same problem is told once");
    assert_eq!(watched.live.newest().unwrap().generation(), 0);
}

/// Root may read everything, so the permission that is lost is that of the directory being one.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_reached_any_more() {
    let files = Files::new(&TlsProfile::ring());
    let watched = files.watched(IdentityChange::Refuse);
    let key = files.paths().key;
    fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink(files.paths().roots.join("below-a-file"), &key).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "kept: unreadable");
    fs::remove_file(&key).unwrap();
    files.write(&files.ca.svid(ID));
    assert_eq!(watched.reports.after_some_looks().await, "generation 1");
}

/// A bundle of 1,000 roots is used; 10,000 do not fit into a megabyte and are refused, whatever they are.
#[tokio::test(start_paused = true)]
async fn a_bundle_of_very_many_roots() {
    let files = Files::new(&TlsProfile::ring());
    let watched = files.watched(IdentityChange::Refuse);
    let own = files.ca.bundle().to_pem();
    let options = AuthorityOptions::default();
    let many: String = (0..1_000)
        .map(|_| {
            let domain = files.ca.trust_domain().clone();
            meshtls_ca::Authority::self_signed(domain, &options, files.ca.now(), &mut RandomSerials)
                .unwrap()
                .trust_bundle()
                .to_pem()
        })
        .collect();
    fs::write(files.paths().roots, format!("{many}{own}")).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "generation 1");
    let bundles = Arc::clone(watched.live.newest().unwrap().bundles());
    assert_eq!(
        bundles
            .bundle_for(files.ca.trust_domain())
            .unwrap()
            .anchors()
            .len(),
        1_001
    );

    fs::write(files.paths().roots, own.repeat(10_000)).unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "kept: too_large");
}

/// The name of a root is not its identity: one of the same name with another key vouches for nothing of the old one.
#[tokio::test(start_paused = true)]
async fn a_root_of_the_same_name_with_another_key() {
    let files = Files::new(&TlsProfile::ring());
    let old = TestCa::new("prod.example");
    let new = old.twin(files.profile.provider());
    let watched = {
        fs::write(files.paths().roots, old.bundle().to_pem()).unwrap();
        files.write(&old.svid(ID));
        files.watched(IdentityChange::Refuse)
    };
    fs::write(files.paths().roots, new.bundle().to_pem()).unwrap();
    let reports = watched.reports.after_some_looks().await;
    assert_eq!(reports, "kept: wrong_signature");
    fs::write(files.paths().roots, new.bundle().to_pem() + &old.bundle().to_pem()).unwrap();
    assert_eq!(
        watched.reports.after_some_looks().await,
        "generation 1",
        "both may stand side by side"
    );
    files.write(&new.svid(ID));
    assert_eq!(watched.reports.after_some_looks().await, "generation 2");
}

/// How stale the last good identity may get: until it ends, and not a second longer.
#[tokio::test(start_paused = true)]
async fn the_last_good_identity_is_kept_until_it_ends() {
    let files = Files::new(&TlsProfile::ring());
    let watched = files.watched(IdentityChange::Refuse);
    fs::write(files.paths().certificate, "").unwrap();
    assert_eq!(watched.reports.after_some_looks().await, "kept: load");
    let end = watched.live.newest().unwrap().svid().not_after().as_secs();
    files
        .clock
        .set(UnixTime::since_unix_epoch(Duration::from_secs(end)));
    assert!(watched.live.snapshot().is_ok(), "its last second");
    files.clock.advance(Duration::from_secs(1));
    assert_eq!(watched.live.snapshot().unwrap_err(), SvidUnavailable::Expired);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(watched.reports.take(), "expired");
}

/// A connection that the old key signed lives on; once nobody uses the old key any more, it is gone, and overwritten on its way.
#[tokio::test(start_paused = true)]
async fn the_old_key_goes_with_the_last_that_uses_it() {
    let files = Files::new(&TlsProfile::ring());
    let watched = files.watched(IdentityChange::Refuse);
    let (old, before) = {
        let snapshot = watched.live.snapshot().unwrap();
        (Arc::downgrade(snapshot.svid()), snapshot)
    };
    let server = MeshServer::new(&files.profile, &before, &AcceptedDomains::Any).unwrap();
    let client = MeshClient::new(&files.profile, &before).unwrap();
    drop(before);
    let (near, far) = tokio::io::duplex(1 << 14);
    let (accepted, connected) = tokio::join!(
        server.accept(near, AlpnAnswer::None),
        client.connect(far, None, &IdMatcher::Any, &[])
    );
    let ((mut accepted, _), (mut connected, _)) = (accepted.unwrap(), connected.unwrap());
    drop((server, client));

    files.write(&files.ca.svid(ID));
    assert_eq!(watched.reports.after_some_looks().await, "generation 1");
    assert!(old.upgrade().is_none(), "nobody holds the old identity");
    for text in [b"ping", b"pong"] {
        connected.write_all(text).await.unwrap();
        connected.flush().await.unwrap();
        let mut read = [0; 4];
        accepted.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, text, "the connection does not notice");
    }
}

/// Who begins to listen before the first look at what is there misses nothing in between.
#[tokio::test(start_paused = true)]
async fn a_change_between_subscribing_and_reading_is_told() {
    let files = Files::new(&TlsProfile::ring());
    let watched = files.watched(IdentityChange::Refuse);
    let mut changes = watched.live.changes();
    files.write(&files.ca.svid(ID));
    assert_eq!(watched.reports.after_some_looks().await, "generation 1");
    assert_eq!(watched.live.newest().unwrap().generation(), 1, "the first read is new already");
    assert_eq!(changes.next().await.generation(), 1, "and told all the same");
}

/// A source that has stopped is seen to have stopped; what it published stays in use, and a new one goes on.
#[tokio::test(start_paused = true)]
async fn a_source_that_stops_is_noticed_and_can_begin_again() {
    let files = Files::new(&TlsProfile::ring());
    let panics: Arc<dyn meshtls_source::Reporter> =
        Arc::new(|_: &meshtls_source::Report<'_>| panic!("a broken reporter"));
    let renewal = files.open(files.source()).unwrap().reporter(panics);
    let live = renewal.live();
    let watch = renewal.watch();
    files.write(&files.ca.svid(ID));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!watch.is_running());
    assert!(live.snapshot().is_ok(), "what is in use stays in use");
    let again = files.watched(IdentityChange::Refuse);
    files.write(&files.ca.svid(ID));
    assert_eq!(again.reports.after_some_looks().await, "generation 1");
}

#[test]
fn pem_files_show_no_key() {
    let files = Files::new(&TlsProfile::ring());
    let shown = format!("{:?}", PemFiles::new(files.paths(), files.ca.trust_domain().clone()));
    assert!(shown.contains("tls.key") && !shown.contains("PRIVATE"), "{shown}");
}
