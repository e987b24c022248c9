//! Searching across everything. Not a door of its own: the page is the door, for it knows the words that kinds of objects
//! go by in each language. A list narrowed by `find` says the same to scripts.

use crate::domain::fault::Fault;
use crate::domain::search::Word;
use crate::view::search::Found;

/// What has all of these words.
///
/// # Errors
/// [`Fault::SignInNeeded`].
pub async fn search(words: Vec<Word>) -> Result<Vec<Found>, Fault> {
    super::door::run(move |control, caller| control.search(caller, &words)).await
}
