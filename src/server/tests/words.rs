//! The words of the browser half.

use super::*;
use crate::domain::locale::Locale;
use crate::i18n::sheet;

#[tokio::test]
async fn a_page_names_the_words_of_its_language_and_they_are_kept_for_good() {
    let house = house();
    for (locale, tag) in [(Locale::Fr, "fr-CA"), (Locale::En, "en-CA")] {
        let request = Request::get("/sign-in")
            .header(header::ACCEPT_LANGUAGE, tag)
            .body(Body::empty())
            .expect("a request");
        let page = house.send(request).await;
        let page = to_bytes(page.into_body(), usize::MAX)
            .await
            .expect("a page");
        let page = String::from_utf8(page.to_vec()).expect("text");
        let link = page
            .split("<link")
            .find(|link| link.contains(r#"id="words""#));
        let link = link.expect("the page names its words");
        let address = format!("/words/{}", sheet(locale).name);
        assert!(link.contains(&format!(r#"href="{address}""#)), "{link}");
        assert!(
            link.contains(r#"as="fetch""#) && link.contains("crossorigin"),
            "{link}"
        );

        let request = Request::get(&address)
            .body(Body::empty())
            .expect("a request");
        let answer = house.send(request).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let headers = answer.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(
            text(header::CACHE_CONTROL),
            Some("public, max-age=31536000, immutable")
        );
        assert_eq!(
            text(header::CONTENT_TYPE),
            Some("text/plain; charset=utf-8")
        );
        // A shared cache may keep it: it says nothing of a reader and sets nothing.
        assert_eq!(text(header::SET_COOKIE), None);
        assert!(
            !text(header::VARY)
                .unwrap_or_default()
                .to_lowercase()
                .contains("cookie")
        );
        let words = to_bytes(answer.into_body(), usize::MAX)
            .await
            .expect("words");
        assert_eq!(words, sheet(locale).text.as_bytes());
    }
}

#[tokio::test]
async fn words_are_compressed_and_older_ones_are_not_there() {
    let house = house();
    let address = format!("/words/{}", sheet(Locale::Fr).name);
    let request = Request::get(&address)
        .header(header::ACCEPT_ENCODING, "br")
        .body(Body::empty())
        .expect("a request");
    let answer = house.send(request).await;
    assert_eq!(answer.headers()[header::CONTENT_ENCODING], "br");
    let words = to_bytes(answer.into_body(), usize::MAX)
        .await
        .expect("words");
    assert!(
        words.len() * 2 < sheet(Locale::Fr).text.len(),
        "{} bytes",
        words.len()
    );

    for name in ["fr.0000000000000000.txt", "de.txt", "..%2fCargo.toml"] {
        let request = Request::get(format!("/words/{name}"))
            .body(Body::empty())
            .expect("a request");
        let answer = house.send(request).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{name}");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    }
}
