#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use super::*;

fn none(_: &str) -> Option<String> {
    None
}

fn keys(name: &str) -> Option<String> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some("AKIA".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("secret".to_owned()),
        _ => None,
    }
}

fn store(text: &str) -> StoreSettings {
    StoreSettings {
        store: Some(text.to_owned()),
        ..StoreSettings::default()
    }
}

fn problem(settings: &StoreSettings, variable: &dyn Fn(&str) -> Option<String>) -> String {
    settings.checked(variable).unwrap_err().to_string()
}

#[test]
fn a_bucket_a_folder_or_nothing() {
    assert_eq!(StoreSettings::default().checked(&none).unwrap(), None);
    let folder = store("/srv/archive").checked(&none).unwrap();
    assert_eq!(folder, Some(StoreConfig::Folder("/srv/archive".into())));
    let Some(StoreConfig::S3(s3)) = store("s3://bucket/a/b/").checked(&keys).unwrap() else {
        panic!("no bucket");
    };
    assert_eq!((s3.bucket.as_str(), s3.prefix.as_str()), ("bucket", "a/b"));
    assert_eq!(
        (s3.region.as_str(), s3.endpoint, s3.allow_http),
        ("us-east-1", None, false)
    );
    let near = StoreSettings {
        endpoint: Some("http://127.0.0.1:9000/".to_owned()),
        ..store("s3://bucket")
    };
    let Some(StoreConfig::S3(s3)) = near.checked(&keys).unwrap() else {
        panic!("no bucket");
    };
    assert_eq!((s3.prefix.as_str(), s3.allow_http), ("", true));
    assert_eq!(s3.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
}

#[test]
fn what_cannot_be_used_is_named() {
    for text in [
        "",
        "gs://bucket",
        "s3://",
        "s3:///prefix",
        "s3://key@bucket",
    ] {
        assert!(
            problem(&store(text), &keys).contains("archive.store"),
            "{text}"
        );
    }
    assert!(problem(&store("s3://bucket"), &none).contains("AWS_ACCESS_KEY_ID"));
    let bare = StoreSettings {
        endpoint: Some("s3.example".to_owned()),
        ..store("s3://bucket")
    };
    assert!(problem(&bare, &keys).contains("archive.endpoint"));
    let lost = StoreSettings {
        endpoint: Some("https://s3.example".to_owned()),
        ..StoreSettings::default()
    };
    assert!(problem(&lost, &keys).contains("archive.store"));
}

#[test]
fn credentials_come_from_a_file_that_others_cannot_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    let text = "[other]\naws_access_key_id = no\n[default]\nAWS_ACCESS_KEY_ID = AKIA\naws_secret_access_key=a=b\n";
    std::fs::write(&file, text).unwrap();
    let settings = StoreSettings {
        credentials: Some(file.clone()),
        ..store("s3://bucket")
    };
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(problem(&settings, &none).contains("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let Some(StoreConfig::S3(s3)) = settings.checked(&none).unwrap() else {
        panic!("no bucket");
    };
    assert_eq!(s3.credentials.access_key, "AKIA");
    assert_eq!(s3.credentials.secret_key, "a=b");
    assert!(!format!("{s3:?}").contains("a=b"), "secrets are not logged");
    std::fs::write(&file, "aws_access_key_id = AKIA").unwrap();
    assert!(problem(&settings, &none).contains("aws_secret_access_key"));
    std::fs::remove_file(&file).unwrap();
    assert!(problem(&settings, &none).contains("cannot be read"));
}

#[test]
fn the_rate_is_bytes_a_second() {
    let settings = StoreSettings {
        rate_mib: NonZeroU64::new(3),
        ..StoreSettings::default()
    };
    assert_eq!(settings.rate().unwrap().get(), 3 << 20);
}

#[test]
fn an_authority_of_ones_own_is_certificates_or_is_said_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    let settings = StoreSettings {
        ca: Some(file.clone()),
        ..store("s3://bucket")
    };
    let named = |settings: &StoreSettings| {
        let problem = problem(settings, &keys);
        assert!(problem.contains("ca.pem"), "{problem}");
    };
    named(&settings);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["ca".to_owned()]).unwrap();
    let pem = certificate.self_signed(&key).unwrap().pem();
    for wrong in [
        String::new(),
        "not PEM".to_owned(),
        key.serialize_pem(),
        pem[..pem.len() / 2].to_owned(),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
    ] {
        std::fs::write(&file, wrong).unwrap();
        named(&settings);
    }
    std::fs::write(&file, format!("{pem}\n{pem}")).unwrap();
    let Some(StoreConfig::S3(s3)) = settings.checked(&keys).unwrap() else {
        panic!("no bucket");
    };
    assert!(String::from_utf8_lossy(&s3.authorities).contains("BEGIN CERTIFICATE"));
    let lost = StoreSettings {
        ca: Some(file),
        ..StoreSettings::default()
    };
    assert!(problem(&lost, &keys).contains("archive.store"));
}
