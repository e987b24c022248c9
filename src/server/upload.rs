//! `POST /upload/volume` and `POST /upload/template`: a disk image on its way to becoming a volume or a template.
//!
//! The form's fields come before its file, so that everything that can be refused is refused before the file is read.
//! The file goes straight to `uploads/` in the data folder; a cut-off upload leaves nothing there.

use super::security::refusal;
use super::session::{Visit, blocking, query_value};
use super::state::AppState;
use crate::control::{ImportRequest, TemplateImport};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::ZoneId;
use crate::domain::volume::VolumeKind;
use crate::view::Started;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// The longest text field.
const MAX_FIELD: usize = 4096;
/// How much of a refused upload is still read, so that the browser gets to read the refusal.
const DRAIN: u64 = 1 << 30;

/// What an upload becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    Volume,
    Template,
}

impl Becomes {
    /// The list that shows it.
    const fn page(self) -> (&'static str, &'static str) {
        match self {
            Self::Volume => ("/volumes", "import-volume"),
            Self::Template => ("/templates", "import-template"),
        }
    }
}

/// Takes an image that becomes a volume. Answers JSON to scripts, a redirect to plain forms.
pub async fn volume(
    State(state): State<AppState>,
    axum::Extension(visit): axum::Extension<Visit>,
    request: Request,
) -> Response {
    answer(Becomes::Volume, &state, &visit, request).await
}

/// As [`volume`], for an image that becomes a template.
pub async fn template(
    State(state): State<AppState>,
    axum::Extension(visit): axum::Extension<Visit>,
    request: Request,
) -> Response {
    answer(Becomes::Template, &state, &visit, request).await
}

async fn answer(becomes: Becomes, state: &AppState, visit: &Visit, request: Request) -> Response {
    let by_script = wants_json(request.headers());
    let (page, key) = becomes.page();
    match receive(becomes, state, visit, request).await {
        Ok(started) if by_script => {
            let body = serde_json::to_string(&started).unwrap_or_default();
            (
                StatusCode::OK,
                [(header::CONTENT_TYPE, "application/json")],
                body,
            )
                .into_response()
        }
        Ok(_) => redirect(&format!("{page}?done={key}")),
        Err(fault) if by_script => refusal(&fault),
        Err(Fault::SignInNeeded) => {
            let next = query_value(&format!("{page}?dialog={key}"));
            redirect(&format!("/sign-in?next={next}"))
        }
        Err(fault) => {
            let fault = serde_json::to_string(&fault).unwrap_or_default();
            let fault = query_value(&fault);
            redirect(&format!("{page}?dialog={key}&fault={fault}"))
        }
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

fn redirect(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/volumes"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

#[derive(Default)]
struct Fields {
    name: String,
    zone: String,
    kind: Option<VolumeKind>,
    description: String,
}

async fn receive(
    becomes: Becomes,
    state: &AppState,
    visit: &Visit,
    request: Request,
) -> Result<Started, Fault> {
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| Fault::BadRequest)?;
    let mut fields = Fields::default();
    loop {
        let field = form.next_field().await.map_err(|_| Fault::UploadCutOff)?;
        let Some(field) = field else {
            return Err(Fault::UploadMissing);
        };
        match field.name() {
            Some("name") => fields.name = text(field).await?,
            Some("description") if becomes == Becomes::Template => {
                fields.description = text(field).await?;
            }
            Some("zone") if becomes == Becomes::Volume => fields.zone = text(field).await?,
            Some("kind") if becomes == Becomes::Volume => {
                fields.kind = Some(match text(field).await?.as_str() {
                    "root" => VolumeKind::Root,
                    "data" => VolumeKind::Data,
                    _ => return Err(Fault::BadRequest),
                });
            }
            Some("file") => {
                let result = keep(becomes, state, visit, fields, length, field).await;
                if result.is_err() {
                    drain(form).await;
                }
                return result;
            }
            _ => return Err(Fault::BadRequest),
        }
    }
}

/// A short text field.
async fn text(mut field: Field<'_>) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|_| Fault::UploadCutOff)? {
        if bytes.len() + chunk.len() > MAX_FIELD {
            return Err(Fault::BadRequest);
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Fault::BadRequest)
}

/// Removes the file unless it was handed over.
struct Received {
    path: PathBuf,
    handed_over: bool,
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.handed_over
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.path.display(), "an upload that was not used could not be removed");
        }
    }
}

async fn keep(
    becomes: Becomes,
    state: &AppState,
    visit: &Visit,
    fields: Fields,
    length: Option<u64>,
    mut field: Field<'_>,
) -> Result<Started, Fault> {
    let zone = fields.zone.parse::<ZoneId>();
    let zone = move || zone.map_err(|_| Fault::NotFound { what: Noun::Zone });
    let kind = fields.kind.unwrap_or(VolumeKind::Data);
    let file_name = field.file_name().unwrap_or_default().to_owned();
    let (name, description) = (fields.name, fields.description);
    let (control, caller) = (state.control.clone(), visit.caller.clone());
    let slot = {
        let (name, description) = (name.clone(), description.clone());
        blocking(move || match becomes {
            Becomes::Volume => control.upload_check(&caller, &name, zone()?, kind, length),
            Becomes::Template => {
                control.template_upload_check(&caller, &name, &description, length)
            }
        })
        .await?
    };
    let mut received = Received {
        path: slot.path.clone(),
        handed_over: false,
    };
    let bytes = write(&slot.path, &mut field).await?;
    if bytes == 0 {
        return Err(Fault::UploadMissing);
    }
    let (control, caller) = (state.control.clone(), visit.caller.clone());
    let file = slot.path;
    let started = blocking(move || match becomes {
        Becomes::Volume => {
            let request = ImportRequest {
                name,
                zone: zone()?,
                kind,
                file,
                file_name,
            };
            control.import_volume(&caller, request)
        }
        Becomes::Template => {
            let request = TemplateImport {
                name,
                description,
                file,
                file_name,
            };
            control.import_template(&caller, request)
        }
    })
    .await?;
    received.handed_over = true;
    Ok(started)
}

/// Writes the field to the file and syncs it: the job that follows outlives the machine.
async fn write(path: &Path, field: &mut Field<'_>) -> Result<u64, Fault> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Fault::ServerFull,
        _ => {
            tracing::error!(%error, path = %path.display(), "an upload could not be written");
            Fault::Internal {
                reference: "upload".to_owned(),
            }
        }
    };
    let mut file = tokio::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .await
        .map_err(failed)?;
    let mut bytes = 0;
    while let Some(chunk) = field.chunk().await.map_err(|_| Fault::UploadCutOff)? {
        file.write_all(&chunk).await.map_err(failed)?;
        bytes += chunk.len() as u64;
    }
    file.flush().await.map_err(failed)?;
    file.sync_all().await.map_err(failed)?;
    Ok(bytes)
}

/// Reads what the browser still sends, up to a bound: many show a broken connection instead of an answer otherwise.
async fn drain(mut form: Multipart) {
    let mut left = DRAIN;
    while let Ok(Some(mut field)) = form.next_field().await {
        while let Ok(Some(chunk)) = field.chunk().await {
            left = left.saturating_sub(chunk.len() as u64);
            if left == 0 {
                return;
            }
        }
    }
}
