//! What a backend remembers of the indexes it used last: in which buffers their pages were, where there was room, and how
//! their vectors are scored. All of it is verified when it is used, so that nothing has to be told when it gets old.

use super::error::Failure;
use super::method::Method;
use super::store::{PgStore, Recent, Targets};
use kite_pages::{BlockNo, PageStore};
use pgrx::pg_sys::{Oid, Relation};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

/// Indexes that are remembered.
const MOST: usize = 32;

/// The file of a relation: table space, database, number.
type File = (Oid, Oid, Oid);

/// What is remembered of one index.
#[derive(Debug)]
pub(in crate::am) struct Remembered {
    file: File,
    recent: RefCell<Rc<Recent>>,
    /// The same of its table.
    recent_of_table: RefCell<Rc<Recent>>,
    targets: Rc<Targets>,
    /// A [`Method::Kept`].
    known: RefCell<Option<Box<dyn Any>>>,
}

thread_local! {
    /// The index used last comes first. Only the thread that runs the backend has any.
    static INDEXES: RefCell<Vec<Rc<Remembered>>> = const { RefCell::new(Vec::new()) };
}

impl Remembered {
    /// What is known of an index.
    ///
    /// # Safety
    /// The relation is open.
    pub(in crate::am) unsafe fn of(relation: Relation) -> Rc<Self> {
        // SAFETY: the caller's promise.
        let file = unsafe { file_of(relation) };
        INDEXES.with_borrow_mut(|indexes| {
            match indexes.iter().position(|known| known.file == file) {
                Some(place) => indexes[..=place].rotate_right(1),
                None => {
                    indexes.truncate(MOST - 1);
                    indexes.insert(0, Rc::new(Self::new(file)));
                }
            }
            Rc::clone(&indexes[0])
        })
    }

    fn new(file: File) -> Self {
        Self {
            file,
            recent: RefCell::default(),
            recent_of_table: RefCell::default(),
            targets: Rc::default(),
            known: RefCell::default(),
        }
    }

    /// A store for the index, which uses what is known and adds to it.
    ///
    /// # Safety
    /// As of [`PgStore::new`]; the relation is the one that this is known of.
    pub(in crate::am) unsafe fn store(&self, relation: Relation) -> PgStore {
        // SAFETY: the caller's promise.
        let store = unsafe { PgStore::new(relation) };
        let pages = store.len();
        let mut recent = self.recent.borrow_mut();
        if recent.is_small_for(pages) {
            *recent = Rc::new(Recent::for_pages(pages));
        }
        store.remembering(Rc::clone(&recent), Rc::clone(&self.targets))
    }

    /// In which buffers pages of the table were, which has so many, about.
    pub(in crate::am) fn recent_of_table(&self, pages: BlockNo) -> Rc<Recent> {
        let mut recent = self.recent_of_table.borrow_mut();
        if recent.is_small_for(pages) {
            *recent = Rc::new(Recent::for_pages(pages));
        }
        Rc::clone(&recent)
    }

    /// The index, opened in a store of its pages.
    pub(in crate::am) fn open<'s, M: Method>(&self, store: &'s PgStore) -> Result<M::Index<'s>, Failure> {
        let known = self.known.borrow();
        // The number of a file may have gone to an index of another access method.
        M::open(store, known.as_ref().and_then(|known| known.downcast_ref()))
    }

    /// Remembers an index as it is known after an operation.
    pub(in crate::am) fn keep<M: Method>(&self, index: &M::Index<'_>) {
        let kept = M::keep(index);
        let mut known = self.known.borrow_mut();
        match known.as_mut().and_then(|known| known.downcast_mut::<M::Kept>()) {
            Some(known) => *known = kept,
            None => *known = Some(Box::new(kept)),
        }
    }
}

#[cfg(any(feature = "pg14", feature = "pg15"))]
unsafe fn file_of(relation: Relation) -> File {
    // SAFETY: the caller passes an open relation.
    let node = unsafe { (*relation).rd_node };
    (node.spcNode, node.dbNode, node.relNode)
}

#[cfg(not(any(feature = "pg14", feature = "pg15")))]
unsafe fn file_of(relation: Relation) -> File {
    // SAFETY: the caller passes an open relation.
    let locator = unsafe { (*relation).rd_locator };
    (locator.spcOid, locator.dbOid, locator.relNumber)
}
