//! Closures whose types are forgotten at once.
//!
//! Every distinct closure type in a view is compiled, with all that draws, hydrates and refreshes it, anew: some
//! kilobytes each in the browser half. Behind a box they all share one copy, and each costs no more than its own body.

use crate::domain::id::{InstanceId, JobId, PointId, SnapshotId, TemplateId, VolumeId};
use leptos::prelude::*;
use std::marker::PhantomData;
use std::sync::Arc;

/// Part of a page that follows what it reads.
pub fn follow(part: impl Fn() -> AnyView + Send + 'static) -> AnyView {
    let part: Box<dyn FnMut() -> AnyView + Send> = Box::new(part);
    part.into_any()
}

/// Text that follows what it reads.
pub fn text(text: impl Fn() -> String + Send + 'static) -> AnyView {
    let text: Box<dyn FnMut() -> String + Send> = Box::new(text);
    text.into_any()
}

/// The value of an attribute that follows what it reads.
pub type Value = Box<dyn FnMut() -> String + Send>;

/// The value of an attribute that follows what it reads.
pub fn value(value: impl Fn() -> String + Send + 'static) -> Value {
    Box::new(value)
}

/// An attribute that comes and goes.
pub type Mark = Box<dyn FnMut() -> Option<&'static str> + Send>;

/// An attribute that comes and goes.
pub fn mark(mark: impl Fn() -> Option<&'static str> + Send + 'static) -> Mark {
    Box::new(mark)
}

/// Whether something holds: an attribute without a value, a property.
pub type Flag = Box<dyn FnMut() -> bool + Send>;

/// Whether something holds.
pub fn flag(flag: impl Fn() -> bool + Send + 'static) -> Flag {
    Box::new(flag)
}

/// Nothing, or something.
pub fn maybe(part: Option<AnyView>) -> AnyView {
    part.unwrap_or_else(|| ().into_any())
}

/// What a row is known by, whatever it is a row of.
pub trait Key: Copy + Send + Sync + 'static {
    /// The key as a number.
    fn code(self) -> u128;
    /// The key that this number is.
    fn of(code: u128) -> Self;
}

macro_rules! keys {
    ($($id:ty)+) => {$(
        impl Key for $id {
            fn code(self) -> u128 {
                u128::from_le_bytes(self.to_bytes())
            }

            fn of(code: u128) -> Self {
                Self::from_bytes(code.to_le_bytes())
            }
        }
    )+};
}
keys! { InstanceId JobId PointId SnapshotId TemplateId VolumeId }

impl Key for u64 {
    fn code(self) -> u128 {
        self.into()
    }

    fn of(code: u128) -> Self {
        Self::try_from(code).unwrap_or_default() // it was one
    }
}

impl Key for u128 {
    fn code(self) -> u128 {
        self
    }

    fn of(code: u128) -> Self {
        code
    }
}

/// A list that follows its keys; a row stays the same elements as long as its key is there. `For` itself would be compiled
/// once a list, nine kilobytes each.
pub fn each<K: Key>(
    keys: impl Fn() -> Vec<K> + Send + Sync + 'static,
    row: impl Fn(K) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    rows(
        Box::new(move || keys().into_iter().map(K::code).collect()),
        Arc::new(move |code| row(K::of(code))),
    )
}

fn rows(
    keys: Box<dyn Fn() -> Vec<u128> + Send + Sync>,
    row: Arc<dyn Fn(u128) -> AnyView + Send + Sync>,
) -> AnyView {
    view! { <For each=keys key=|key| *key children=move |key| row(key)/> }.into_any()
}

/// A value whose type only those know who made it. What stores, compares and hands on values is compiled once a type; behind
/// this there is one.
#[derive(Clone)]
struct Any {
    of: Arc<dyn std::any::Any + Send + Sync>,
    same: fn(&Self, &Self) -> bool,
}

impl Any {
    fn new<T: PartialEq + Send + Sync + 'static>(value: T) -> Self {
        Self {
            of: Arc::new(value),
            same: |one, other| one.of.downcast_ref::<T>() == other.of.downcast_ref::<T>(),
        }
    }

    fn get<T: 'static>(&self) -> &T {
        let Some(value) = self.of.downcast_ref() else {
            unreachable!("only a Memo<T> and a Cell<T> have it, and they put a T into it");
        };
        value
    }
}

impl PartialEq for Any {
    fn eq(&self, other: &Self) -> bool {
        (self.same)(self, other)
    }
}

/// A value that is worked out anew only when what it reads changes, as the framework's own.
pub struct Memo<T> {
    memo: leptos::prelude::Memo<Any>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Memo<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Memo<T> {}

/// A value that is worked out anew only when what it reads changes.
pub fn memo<T: PartialEq + Send + Sync + 'static>(
    work: impl Fn(Option<&T>) -> T + Send + Sync + 'static,
) -> Memo<T> {
    let work = move |before: Option<&Any>| Any::new(work(before.map(Any::get)));
    Memo {
        memo: any_memo(Box::new(work)),
        of: PhantomData,
    }
}

type Work = Box<dyn Fn(Option<&Any>) -> Any + Send + Sync>;

fn any_memo(work: Work) -> leptos::prelude::Memo<Any> {
    leptos::prelude::Memo::new(work)
}

impl<T: 'static> Memo<T> {
    /// What `read` makes of it; who calls this follows it from now on.
    pub fn with<R>(self, read: impl FnOnce(&T) -> R) -> R {
        read(tracked(self.memo).get())
    }

    /// The value; who calls this follows it from now on.
    pub fn get(self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// What `read` makes of it now.
    pub fn with_untracked<R>(self, read: impl FnOnce(&T) -> R) -> R {
        read(self.memo.get_untracked().get())
    }

    /// The value as it is now.
    pub fn get_untracked(self) -> T
    where
        T: Clone,
    {
        self.with_untracked(T::clone)
    }
}

#[inline(never)]
fn tracked(memo: leptos::prelude::Memo<Any>) -> Any {
    memo.get()
}

/// A value that is set from outside, as the framework's own.
pub struct RwSignal<T> {
    signal: leptos::prelude::RwSignal<Any>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for RwSignal<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for RwSignal<T> {}

impl<T: Clone + PartialEq + Send + Sync + 'static> RwSignal<T> {
    /// A signal with this value.
    pub fn new(value: T) -> Self {
        Self {
            signal: leptos::prelude::RwSignal::new(Any::new(value)),
            of: PhantomData,
        }
    }

    /// What `read` makes of it; who calls this follows it from now on.
    pub fn with<R>(self, read: impl FnOnce(&T) -> R) -> R {
        read(self.signal.get().get())
    }

    /// The value; who calls this follows it from now on.
    pub fn get(self) -> T {
        self.with(T::clone)
    }

    /// What `read` makes of it now.
    pub fn with_untracked<R>(self, read: impl FnOnce(&T) -> R) -> R {
        read(self.signal.get_untracked().get())
    }

    /// The value as it is now, unless the page that it was of is gone.
    pub fn still(self) -> Option<T> {
        let value = self.signal.try_get_untracked()?;
        Some(value.get::<T>().clone())
    }

    /// Another value. Nothing happens once the page that it was of is gone.
    pub fn set(self, value: T) {
        _ = self.signal.try_set(Any::new(value));
    }

    /// The value changed by `change`. Nothing happens once the page that it was of is gone, and the answer says so.
    pub fn update(self, change: impl FnOnce(&mut T)) -> bool {
        let Some(mut value) = self.still() else {
            return false;
        };
        change(&mut value);
        self.set(value);
        true
    }
}

/// Something to do in the browser when the page is there, and again when what it reads changes.
pub fn effect(work: impl FnMut() + 'static) {
    boxed_effect(Box::new(work));
}

fn boxed_effect(mut work: Box<dyn FnMut()>) {
    Effect::new(move |_: Option<()>| work());
}
