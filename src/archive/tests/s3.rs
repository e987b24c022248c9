//! The same over HTTP, with a real S3 server on loopback that can be told to misbehave: what `object_store`, the
//! connector and the retries make of it.

use super::device::Memory;
use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError as ServerError};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const BLOCK: u64 = 4096;
const BUCKET: &str = "snapshots";

/// What the server does wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// It refuses, with this status and code.
    Refuses(u16, &'static str),
    /// It asks to be left alone for a second, and looks whether it is.
    Busy,
    /// The body of its answer ends in the middle, and the connection with it.
    BreaksOff,
    /// It does not answer.
    Silent,
    /// It does not answer to a pack that is written; other requests do not count.
    SilentToPack,
    /// A byte of the body is another one.
    Flips,
}

#[derive(Default)]
struct Mood {
    /// After so many requests.
    plan: Mutex<Option<(u64, Wrong)>>,
    requests: AtomicU64,
    /// Nobody is to ask now.
    closed: Arc<AtomicBool>,
    /// Somebody asked all the same.
    disturbed: AtomicBool,
}

impl Mood {
    fn next(&self, request: &http::Request<Incoming>) -> Option<Wrong> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            self.disturbed.store(true, Ordering::SeqCst);
        }
        let mut plan = self.plan.lock().unwrap();
        match &mut *plan {
            Some((_, Wrong::SilentToPack))
                if request.method() != http::Method::PUT
                    || !request.uri().path().contains("/packs/") =>
            {
                None
            }
            Some((0, _)) => plan.take().map(|(_, wrong)| wrong),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    fn plan(&self, after: u64, wrong: Wrong) {
        *self.plan.lock().unwrap() = Some((after, wrong));
    }

    /// Whether what was planned has come to pass.
    fn is_over(&self) -> bool {
        self.plan.lock().unwrap().take().is_none()
    }
}

type Answer = http::Response<Body>;

fn refusal(status: u16, code: &str, retry_after: Option<&str>) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>told to</Message></Error>");
    let mut answer = http::Response::builder().status(status);
    if let Some(seconds) = retry_after {
        answer = answer.header("retry-after", seconds);
    }
    answer.body(Body::from(body)).unwrap()
}

async fn answer(
    s3: S3Service,
    mood: Arc<Mood>,
    request: http::Request<Incoming>,
) -> Result<Answer, ServerError> {
    let wrong = mood.next(&request);
    match wrong {
        Some(Wrong::Refuses(status, code)) => {
            // The body is taken first, or the client would be cut off while it sends.
            let _ = request.into_body().collect().await;
            return Ok(refusal(status, code, None));
        }
        Some(Wrong::Busy) => {
            let _ = request.into_body().collect().await;
            mood.closed.store(true, Ordering::SeqCst);
            let closed = Arc::clone(&mood.closed);
            tokio::spawn(async move {
                // A little less than the client was told.
                tokio::time::sleep(Duration::from_millis(900)).await;
                closed.store(false, Ordering::SeqCst);
            });
            return Ok(refusal(503, "SlowDown", Some("1")));
        }
        Some(Wrong::Silent | Wrong::SilentToPack) => std::future::pending().await,
        _ => {}
    }
    let answer = hyper::service::Service::call(&s3, request).await?;
    let Some(wrong @ (Wrong::BreaksOff | Wrong::Flips)) = wrong else {
        return Ok(answer);
    };
    let (mut parts, body) = answer.into_parts();
    let Ok(bytes) = body.collect().await else {
        panic!("the server's own answer broke off");
    };
    let mut bytes = bytes.to_bytes().to_vec();
    let half = bytes.len() / 2;
    if wrong == Wrong::Flips {
        if let Some(byte) = bytes.get_mut(half) {
            *byte ^= 1;
        }
        return Ok(http::Response::from_parts(parts, Body::from(bytes)));
    }
    parts
        .headers
        .insert("content-length", (bytes.len() + 1).into());
    bytes.truncate(half);
    let frames: [Result<Frame<Bytes>, std::io::Error>; 2] = [
        Ok(Frame::data(Bytes::from(bytes))),
        Err(std::io::ErrorKind::ConnectionReset.into()),
    ];
    let body = StreamBody::new(futures::stream::iter(frames));
    Ok(http::Response::from_parts(
        parts,
        Body::http_body_unsync(body),
    ))
}

/// An S3 server in this process, over a folder.
pub struct Server {
    endpoint: String,
    mood: Arc<Mood>,
    /// What its certificate is signed by, as PEM.
    authority: Vec<u8>,
    folder: tempfile::TempDir,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// A server whose certificate is signed by an authority of its own.
    fn start_with_tls() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut own = rcgen::CertificateParams::new(Vec::new()).unwrap();
        own.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = own.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(own, key);
        let key = rcgen::KeyPair::generate().unwrap();
        let of = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = of.signed_by(&key, &issuer).unwrap();
        let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private.into())
            .unwrap();
        Self::start_with(Some((config, authority.pem().into_bytes())))
    }

    fn start_with(tls: Option<(rustls::ServerConfig, Vec<u8>)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single("reprise", "a secret of the test"));
        let s3 = builder.build();
        let mood = Arc::new(Mood::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let (scheme, authority) = match &tls {
            Some((_, authority)) => ("https", authority.clone()),
            None => ("http", Vec::new()),
        };
        let endpoint = format!("{scheme}://{}", listener.local_addr().unwrap());
        let tls = tls.map(|(config, _)| tokio_rustls::TlsAcceptor::from(Arc::new(config)));
        let told = Arc::clone(&mood);
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (s3, mood) = (s3.clone(), Arc::clone(&told));
                let service = hyper::service::service_fn(move |request| {
                    let (s3, mood) = (s3.clone(), Arc::clone(&mood));
                    async move {
                        let answered = answer(s3, mood, request).await;
                        Ok::<_, Infallible>(answered.unwrap_or_else(|_| refusal(500, "", None)))
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                match tls.clone() {
                    None => drop(tokio::spawn(
                        http.serve_connection(TokioIo::new(socket), service),
                    )),
                    Some(tls) => drop(tokio::spawn(async move {
                        if let Ok(socket) = tls.accept(socket).await {
                            let _ = http.serve_connection(TokioIo::new(socket), service).await;
                        }
                    })),
                }
            }
        });
        Self {
            endpoint,
            mood,
            authority,
            folder,
            runtime: Some(runtime),
        }
    }

    pub fn config(&self) -> S3Config {
        S3Config {
            endpoint: Some(self.endpoint.clone()),
            bucket: BUCKET.to_owned(),
            prefix: "a/b".to_owned(),
            region: "us-east-1".to_owned(),
            credentials: Credentials {
                access_key: "reprise".to_owned(),
                secret_key: "a secret of the test".to_owned(),
                token: None,
            },
            allow_http: true,
            virtual_hosted: false,
            authorities: self.authority.clone(),
        }
    }

    /// Where the objects are, without the server.
    pub(super) fn objects(&self) -> std::path::PathBuf {
        self.folder.path().join(BUCKET).join("a/b")
    }

    fn open(&self) -> Archive {
        let mut options = options();
        options.retry.patience = Duration::from_secs(2);
        connect(self.config(), options)
    }
}

pub(super) fn connect(config: S3Config, options: ArchiveOptions) -> Archive {
    Archive::connect(&StoreConfig::S3(config), options).unwrap()
}

fn first() -> Memory {
    let device = Memory::new(SEGMENT_SIZE + 16 * BLOCK);
    device.fill(0..20 * BLOCK, 1);
    device.fill(SEGMENT_SIZE..SEGMENT_SIZE + 3 * BLOCK, 2);
    device
}

fn second() -> (Memory, BlockSet) {
    let device = first();
    device.fill(7 * BLOCK..9 * BLOCK, 3);
    let mut changed = BlockSet::new();
    changed.insert_range(7..9);
    (device, changed)
}

/// A whole life of two snapshots.
fn live(archive: &Archive) -> Result<(), Error> {
    save(archive, snapshot(1), &first(), None)?;
    let (device, changed) = second();
    save(archive, snapshot(2), &device, Some((snapshot(1), &changed)))?;
    assert!(restored(archive, snapshot(2), device.size())?.content() == device.content());
    archive.delete(ORGANIZATION, snapshot(1))?;
    archive.verify(ORGANIZATION, snapshot(2), &mut ())?;
    assert!(restored(archive, snapshot(2), device.size())?.content() == device.content());
    Ok(())
}

#[test]
fn i08_snapshots_in_a_bucket_are_saved_restored_and_deleted() {
    let server = Server::start();
    live(&server.open()).unwrap();
    // Another process sees them, and nothing is damaged or lost.
    let other = server.open();
    let all = other.list(ORGANIZATION).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].description.snapshot, snapshot(2));
    assert_eq!(other.check(true).unwrap(), vec![]);
    // Under the prefix and nowhere else.
    let bucket = server.folder.path().join(BUCKET);
    let names: Vec<_> = std::fs::read_dir(bucket)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn a_service_whose_certificate_is_of_an_authority_of_its_own_is_trusted_where_that_is_named() {
    let server = Server::start_with_tls();
    live(&server.open()).unwrap();
    assert_eq!(server.open().check(true).unwrap(), vec![]);
    // Named for another service, or for none: nothing is sent, and the reason is told.
    let other = Server::start_with_tls();
    for authorities in [Vec::new(), other.authority.clone()] {
        let strange = S3Config {
            authorities,
            ..server.config()
        };
        let before = server.mood.requests.load(Ordering::SeqCst);
        let error = connect(strange, options()).list(ORGANIZATION).unwrap_err();
        assert!(!error.is_permanent() && matches!(error, Error::Store { .. }));
        let mut told = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(error) = next {
            told = format!("{told}: {error}");
            next = error.source();
        }
        assert!(told.contains("certificate"), "{told}");
        assert_eq!(server.mood.requests.load(Ordering::SeqCst), before);
    }
}

#[test]
fn a_large_pack_goes_in_one_request() {
    let server = Server::start();
    let archive = server.open();
    let device = Memory::new(SEGMENT_SIZE);
    device.fill(0..40 << 20, 1);
    let before = server.mood.requests.load(Ordering::SeqCst);
    save(&archive, snapshot(1), &device, None).unwrap();
    let requests = server.mood.requests.load(Ordering::SeqCst) - before;
    assert!(requests < 40, "{requests} requests");
    assert!(
        restored(&archive, snapshot(1), device.size())
            .unwrap()
            .content()
            == device.content()
    );
}

#[test]
fn what_passes_is_tried_again_whatever_the_request() {
    for wrong in [
        Wrong::Refuses(503, "SlowDown"),
        Wrong::Refuses(429, "TooManyRequests"),
        Wrong::Refuses(500, "InternalError"),
        Wrong::BreaksOff,
    ] {
        let mut after = 0;
        loop {
            let server = Server::start();
            let archive = server.open();
            server.mood.plan(after, wrong);
            live(&archive).unwrap_or_else(|error| panic!("{wrong:?} after {after}: {error:?}"));
            if !server.mood.is_over() {
                break;
            }
            after += 4;
        }
        assert!(after > 20, "{wrong:?}: only {after} requests were seen");
    }
}

#[test]
fn a_server_that_is_silent_is_asked_again() {
    let server = Server::start();
    let archive = server.open();
    for after in [0, 9, 21] {
        server.mood.plan(after, Wrong::Silent);
        live(&archive).unwrap();
        for n in 1..3 {
            archive.delete(ORGANIZATION, snapshot(n)).ok();
        }
        assert!(server.mood.is_over());
    }
}

/// Interrupts when it is asked after the server has fallen silent.
struct Until<'m>(&'m Mood);

impl Progress for Until<'_> {
    fn total(&mut self, _: u64) {}

    fn done(&mut self, _: u64) -> ControlFlow<()> {
        match *self.0.plan.lock().unwrap() {
            None => ControlFlow::Break(()),
            Some(_) => ControlFlow::Continue(()),
        }
    }
}

#[test]
fn a_save_is_interrupted_while_the_server_is_silent() {
    let server = Server::start();
    // So patient that it would wait for an hour.
    let mut options = options();
    options.retry.patience = Duration::from_secs(3600);
    let archive = connect(server.config(), options);
    let device = Memory::new(SEGMENT_SIZE);
    device.fill(0..40 << 20, 5);
    server.mood.plan(0, Wrong::SilentToPack);
    let request = request(snapshot(2), &device, None);
    let result = archive.save(&request, &mut Until(&server.mood));
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    save(&archive, snapshot(2), &device, None).unwrap();
    assert_eq!(server.open().check(true).unwrap(), vec![]);
}

#[test]
fn retry_after_is_respected_by_all() {
    let server = Server::start();
    let archive = server.open();
    server.mood.plan(6, Wrong::Busy);
    live(&archive).unwrap();
    assert!(server.mood.is_over());
    assert!(!server.mood.disturbed.load(Ordering::SeqCst));
}

#[test]
fn i09_a_byte_that_changed_on_the_way_is_found() {
    let server = Server::start();
    let archive = server.open();
    save(&archive, snapshot(1), &first(), None).unwrap();
    let mut refused = 0;
    for after in 0.. {
        server.mood.plan(after, Wrong::Flips);
        // A listing has no tag: what it says is looked at, not believed.
        match restored(&server.open(), snapshot(1), first().size()) {
            Ok(target) => assert!(target.content() == first().content()),
            Err(Error::Damaged { .. }) => refused += 1,
            Err(Error::NoSuchSnapshot { .. } | Error::NoKey { .. } | Error::Store { .. }) => {}
            Err(error) => panic!("{after}: {error:?}"),
        }
        if !server.mood.is_over() {
            break;
        }
    }
    // Key, manifest, two segments and what they name, at least.
    assert!(refused >= 5, "{refused}");
}

#[test]
fn what_lasts_is_told_at_once_and_by_its_name() {
    let server = Server::start();
    let archive = server.open();
    save(&archive, snapshot(1), &first(), None).unwrap();
    let (device, changed) = second();
    let tell = |wrong| {
        server.mood.plan(0, wrong);
        let before = server.mood.requests.load(Ordering::SeqCst);
        let error = save(
            &archive,
            snapshot(2),
            &device,
            Some((snapshot(1), &changed)),
        )
        .unwrap_err();
        let asked = server.mood.requests.load(Ordering::SeqCst) - before;
        assert_eq!(asked, 1, "{wrong:?} was tried again");
        assert!(error.is_permanent(), "{error:?}");
        error
    };
    assert!(matches!(
        tell(Wrong::Refuses(507, "XMinioStorageFull")),
        Error::NoSpace { .. }
    ));
    assert!(matches!(
        tell(Wrong::Refuses(403, "AccessDenied")),
        Error::Denied { .. }
    ));
    assert!(matches!(
        tell(Wrong::Refuses(403, "RequestTimeTooSkewed")),
        Error::Clock { .. }
    ));
    assert!(matches!(
        tell(Wrong::Refuses(404, "NoSuchBucket")),
        Error::NoBucket { .. }
    ));
    assert!(matches!(
        tell(Wrong::Refuses(400, "InvalidRequest")),
        Error::Store { .. }
    ));
    save(
        &archive,
        snapshot(2),
        &device,
        Some((snapshot(1), &changed)),
    )
    .unwrap();
    assert_eq!(server.open().check(true).unwrap(), vec![]);
}

#[test]
fn settings_that_are_wrong_are_told_from_a_server_that_is_away() {
    let server = Server::start();
    let with = |change: &dyn Fn(&mut S3Config)| {
        let mut config = server.config();
        change(&mut config);
        save(&connect(config, options()), snapshot(1), &first(), None).unwrap_err()
    };
    let error = with(&|config| config.credentials.secret_key = "another".to_owned());
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    let error = with(&|config| config.bucket = "nowhere".to_owned());
    assert!(matches!(error, Error::NoBucket { .. }), "{error:?}");
    // Port 9 (discard) is not listened on.
    let error = with(&|config| config.endpoint = Some("http://127.0.0.1:9".to_owned()));
    assert!(
        matches!(error, Error::Store { .. }) && !error.is_permanent(),
        "{error:?}"
    );
    let mut config = server.config();
    config.allow_http = false;
    let refused = Archive::connect(&StoreConfig::S3(config), options());
    let error = refused
        .and_then(|archive| save(&archive, snapshot(1), &first(), None))
        .unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error:?}");
}

#[test]
fn i10_two_processes_save_into_one_bucket_and_see_each_other() {
    let server = Server::start();
    let (one, two) = (server.open(), server.open());
    std::thread::scope(|scope| {
        for (archive, id) in [(&one, 1), (&two, 2)] {
            scope.spawn(move || {
                for n in 0..3 {
                    let device = first();
                    device.fill(n * BLOCK..(n + 1) * BLOCK, id + 10 * n);
                    save(archive, snapshot(id as u8 * 10 + n as u8), &device, None).unwrap();
                }
            });
        }
    });
    for archive in [&one, &two] {
        assert_eq!(archive.list(ORGANIZATION).unwrap().len(), 6);
        assert!(restored(archive, snapshot(12), first().size()).is_ok());
        assert!(restored(archive, snapshot(22), first().size()).is_ok());
    }
    assert_eq!(server.open().check(true).unwrap(), vec![]);
}
