//! Hostile pools by recipe: each spoils one thing of a small healthy pool.

mod devices;
mod draft;
mod header;
mod keys;
mod pointers;
mod sample;
mod snapshot;
mod sources;
mod space_maps;
mod superblock;

use std::fmt;
use std::sync::LazyLock;

pub use draft::Draft;
pub use sample::{METADATA_BLOCKS, Map, sample};

/// What reading all of a spoiled pool, live and through its metadata snapshot, must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expect {
    /// At least one pass ends in the error that the metadata is corrupt; none ends otherwise.
    Corrupt,
    /// The pool cannot be opened: a version or feature that is not known.
    Unsupported,
    /// The pool cannot be opened: it is something else.
    NotThin,
    /// Every pass ends well: harmless, or for a check to tell.
    Opens,
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::NotThin => "not-thin",
            Self::Opens => "opens",
        })
    }
}

/// How to make a hostile pool.
pub struct Recipe {
    /// Its name: words of lower case joined by hyphens.
    pub name: String,
    /// What is wrong, in a line.
    pub what: String,
    /// What a reader must do.
    pub expect: Expect,
    spoil: Box<dyn Fn(&mut Draft) + Send + Sync>,
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Recipe {
    fn new(
        name: impl Into<String>,
        what: impl Into<String>,
        expect: Expect,
        spoil: impl Fn(&mut Draft) + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), what: what.into(), expect, spoil: Box::new(spoil) }
    }

    /// The spoiled image.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| sample(METADATA_BLOCKS));
        let mut draft = Draft::new(SAMPLE.clone());
        (self.spoil)(&mut draft);
        draft.bytes
    }
}

/// All recipes.
#[must_use]
pub fn recipes() -> &'static [Recipe] {
    static RECIPES: LazyLock<Vec<Recipe>> = LazyLock::new(|| {
        let mut recipes = Vec::new();
        superblock::add(&mut recipes);
        header::add(&mut recipes);
        keys::add(&mut recipes);
        pointers::add(&mut recipes);
        devices::add(&mut recipes);
        space_maps::add(&mut recipes);
        snapshot::add(&mut recipes);
        sources::add(&mut recipes);
        recipes
    });
    &RECIPES
}

/// A number in the name of a recipe.
fn number(value: u64) -> String {
    match value {
        u64::MAX => "all-ones-64".to_owned(),
        0xffff_ffff => "all-ones-32".to_owned(),
        0x7fff_ffff => "max-31".to_owned(),
        _ if value > 1024 && value.is_power_of_two() => format!("2-to-{}", value.trailing_zeros()),
        _ => value.to_string(),
    }
}
