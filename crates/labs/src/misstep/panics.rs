//! Handlers that panic.
//!
//! A panic of a handler is a finding, which the report tells with the place and the text. So the hook of the program
//! is left out while a handler runs, and only then.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use super::{Misstep, Occasion};

thread_local! {
    /// Whether a handler runs on this thread.
    static IN_HANDLER: Cell<bool> = const { Cell::new(false) };
    /// Where it panicked.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic of a handler.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Panicked {
    /// What it says.
    pub text: String,
    /// Where: `src/ring.rs:31`.
    pub place: Option<String>,
}

impl Panicked {
    /// The same as a misstep.
    pub fn misstep(self, when: &Occasion) -> Misstep {
        let Self { text, place } = self;
        Misstep { place, ..Misstep::panics(&when.to_string(), text) }
    }
}

/// Calls a handler, and catches its panic.
///
/// # Errors
///
/// If it panics. What it worked on is then in no known state, and of no use.
pub fn catch<T>(handler: impl FnOnce() -> T) -> Result<T, Panicked> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| match IN_HANDLER.get() {
            true => note_place(info),
            false => usual(info),
        }));
    });
    IN_HANDLER.set(true);
    let returned = catch_unwind(AssertUnwindSafe(handler));
    IN_HANDLER.set(false);
    returned.map_err(|panic| {
        let place = PLACE.with(RefCell::take);
        Panicked { text: text(&*panic).to_owned(), place }
    })
}

fn note_place(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
    PLACE.with(|kept| *kept.borrow_mut() = place);
}

/// Lets all other panics of this program end in its log: the standard error of a daemon goes nowhere.
pub fn log_others() {
    let usual = take_hook();
    set_hook(Box::new(move |info| {
        log::error!("{info}");
        usual(info);
    }));
}

/// What a panic says.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
