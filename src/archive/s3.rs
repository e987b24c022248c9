//! S3 and what speaks like it: the one place that knows that a store can be reached by HTTP.
//!
//! Requests are signed and sent by `object_store`; TLS is rustls with ring. What is added here is what a refusal means.
//! `object_store` keeps the status of most refusals to itself and knows no `Retry-After`, so the connector below looks
//! at each answer before it does: that an object is not there passes through, any other refusal becomes a [`Refused`] at
//! the bottom of the error. (Of a listing `object_store` has one kind of error alone, whatever the status.) Trying again is left to `store`.
//!
//! Error codes: "Error responses" of the Amazon S3 API reference; those of MinIO, Garage and Ceph for a full store.

use super::error::Error;
use http::{Method, StatusCode, header::RETRY_AFTER};
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Certificate, ClientOptions, ObjectStore, RetryConfig};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest `Retry-After` that is respected.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// Bytes of a refusal's body that are read.
const BODY: usize = 16 << 10;

/// What signs the requests.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id.
    pub access_key: String,
    /// The secret access key. Never printed.
    pub secret_key: String,
    /// The session token of temporary credentials.
    pub token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

/// A bucket, as set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// The service's address, `https://host[:port]`; none: that of AWS in the region.
    pub endpoint: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// What the names of all objects begin with; empty: nothing.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// What they are signed with.
    pub credentials: Credentials,
    /// Whether the endpoint may be reached without TLS.
    pub allow_http: bool,
    /// Whether the bucket's name is part of the host's, and not of the path.
    pub virtual_hosted: bool,
    /// Certificates, as PEM, that are trusted beside the system's: those of an authority of one's own. Empty: none.
    pub authorities: Vec<u8>,
}

impl fmt::Display for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

/// A store in this bucket. Nothing is asked of it yet.
///
/// # Errors
/// [`Error::Store`] when the settings make no sense.
pub fn open(config: &S3Config) -> Result<Arc<dyn ObjectStore>, Error> {
    // What was installed before, if anything, is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let wrong = |error| Error::from_store("opening", &Path::default(), error);
    let mut client = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(CONNECT)
        // How long an operation may take depends on its bytes: `store` sees to it.
        .with_timeout_disabled();
    for certificate in Certificate::from_pem_bundle(&config.authorities).map_err(wrong)? {
        client = client.with_root_certificate(certificate);
    }
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_access_key_id(&config.credentials.access_key)
        .with_secret_access_key(&config.credentials.secret_key)
        .with_virtual_hosted_style_request(config.virtual_hosted)
        .with_disable_bulk_delete(true)
        .with_client_options(client)
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })
        .with_http_connector(Connector);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(token) = &config.credentials.token {
        builder = builder.with_token(token);
    }
    let store = builder.build().map_err(wrong)?;
    let prefix = Path::from(config.prefix.as_str());
    Ok(if prefix.as_ref().is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, prefix))
    })
}

/// What a refusal means to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Trying again may help.
    Passing,
    /// It does not.
    Permanent,
    /// There is no permission.
    Denied,
    /// There is no room.
    Full,
    /// There is no such bucket.
    NoBucket,
    /// The store's clock and ours are too far apart for a signature to be believed.
    Clock,
}

/// The store answered, and the answer was no.
#[derive(Debug, thiserror::Error)]
#[error("the object store answered {status}{}", said(.code, .message))]
pub struct Refused {
    status: StatusCode,
    /// The error's code, as S3 has them; empty when there is none.
    code: String,
    message: String,
    /// When to try again, by the store's own word.
    pub retry_after: Option<Duration>,
}

fn said(code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => String::new(),
        (code, "") => format!(" {code}"),
        (code, message) => format!(" {code}: {message}"),
    }
}

impl Refused {
    fn new(status: StatusCode, retry_after: Option<Duration>, body: &str) -> Self {
        let element = |name: &str| {
            let (open, close) = (format!("<{name}>"), format!("</{name}>"));
            let from = body.find(&open)? + open.len();
            let length = body.get(from..)?.find(&close)?;
            body.get(from..from + length)
        };
        let text = |name: &str| {
            let text = element(name).unwrap_or_default();
            text.chars().take(200).collect::<String>()
        };
        Self {
            status,
            code: text("Code"),
            message: text("Message"),
            retry_after,
        }
    }

    /// An answer with this status and code.
    #[cfg(test)]
    pub fn of_test(status: u16, code: &str) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        Self::new(status, None, &format!("<Code>{code}</Code>"))
    }

    /// What it means.
    pub fn meaning(&self) -> Meaning {
        match self.code.as_str() {
            "NoSuchBucket" => return Meaning::NoBucket,
            "RequestTimeTooSkewed" => return Meaning::Clock,
            "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "StorageFull" => {
                return Meaning::Full;
            }
            "RequestTimeout" | "OperationAborted" | "SlowDown" | "InternalError"
            | "ServiceUnavailable" | "IncompleteBody" => return Meaning::Passing,
            _ => {}
        }
        match self.status.as_u16() {
            401 | 403 => Meaning::Denied,
            507 => Meaning::Full,
            408 | 425 | 429 | 500 | 502 | 503 | 504 => Meaning::Passing,
            _ => Meaning::Permanent,
        }
    }
}

/// The refusal at the bottom of an error, if one is there.
pub fn refusal<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Refused> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        next = error.source();
    }
    None
}

/// Makes clients that look at each answer.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Service { inner }))
    }
}

#[derive(Debug)]
struct Service {
    inner: HttpClient,
}

impl HttpService for Service {
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let method = request.method().clone();
            let response = self.inner.execute(request).await?;
            if response.status().is_client_error() || response.status().is_server_error() {
                look(&method, response).await
            } else {
                Ok(response)
            }
        })
    }
}

/// Makes a [`Refused`] of an answer that is one, and leaves those to `object_store` that it knows.
async fn look(method: &Method, response: HttpResponse) -> Result<HttpResponse, HttpError> {
    let (parts, body) = response.into_parts();
    let retry_after = parts
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let body = match *method {
        Method::HEAD => bytes::Bytes::new(),
        // An answer whose body does not come whole is judged by its status.
        _ => body.bytes().await.unwrap_or_default(),
    };
    let text = String::from_utf8_lossy(&body[..body.len().min(BODY)]);
    let refused = Refused::new(parts.status, retry_after, &text);
    if parts.status == StatusCode::NOT_FOUND && refused.meaning() != Meaning::NoBucket {
        Ok(HttpResponse::from_parts(parts, body.into()))
    } else {
        Err(HttpError::new(HttpErrorKind::Unknown, refused))
    }
}

#[cfg(test)]
mod tests;
