//! Many vectors against many: the products of a tile of both are summed in registers, so that an element that is loaded once meets all of
//! the other side.
//!
//! Per element a tile of R rows and P panels loads R + P vectors for R·P fused multiplications, where a product of two slices loads
//! two for each. (Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 2008; only the innermost
//! of its loops is here, since what an inverted file has of centroids fits the second cache.)

use crate::lanes::Floats;
use crate::panels::{KeyLines, LANES, Line, Nearest, Panels};
use crate::pass::unequal;

/// Vectors of `f32`, `N` of which are a line of a panel.
pub(crate) trait Tiles<const N: usize>: Floats {
    fn splat(self, x: f32) -> Self::V;
    fn load_line(self, line: &[f32; LANES]) -> [Self::V; N];
    fn store_line(self, vectors: [Self::V; N], line: &mut [f32; LANES]);
}

/// A token that knows which tiles its registers hold.
pub(crate) trait Tiling: Copy {
    /// [`nearest`] by tiles of the right size.
    fn nearest(self, rows: &[&[f32]], panels: &Panels, out: &mut [Nearest]);
}

/// Rows that are held against a panel before it is the next one's turn, a multiple of what tiles have.
const BLOCK: usize = 24;

/// What is known of a row: the least key of each lane, in which panel that was, and the least of the others.
#[derive(Clone, Copy)]
struct Lead {
    key: Line,
    panel: [u32; LANES],
    next: Line,
}

impl Lead {
    const NONE: Self =
        Self { key: Line([f32::INFINITY; LANES]), panel: [0; LANES], next: Line([f32::INFINITY; LANES]) };

    /// Takes the products with a panel. (Loops without branches, which become vectors.)
    #[inline(always)]
    fn take(&mut self, products: &Line, keys: &KeyLines, panel: u32) {
        for lane in 0..LANES {
            let key = products.0[lane] * keys.mul.0[lane] + keys.add.0[lane];
            let (best, next) = (self.key.0[lane], self.next.0[lane]);
            let is_better = key < best;
            let other = if is_better { best } else { key };
            self.key.0[lane] = if is_better { key } else { best };
            self.panel[lane] = if is_better { panel } else { self.panel[lane] };
            self.next.0[lane] = if other < next { other } else { next };
        }
    }

    fn nearest(&self) -> Nearest {
        let mut lead = 0;
        for lane in 1..LANES {
            // Of equal ones the first, which may be in a later lane.
            if (self.key.0[lane], self.panel[lane]) < (self.key.0[lead], self.panel[lead]) {
                lead = lane;
            }
        }
        let key = self.key.0[lead];
        let mut next = self.next.0[lead];
        for lane in (0..LANES).filter(|&lane| lane != lead) {
            next = next.min(self.key.0[lane]);
        }
        let place = if key < f32::INFINITY { self.panel[lead] * LANES as u32 + lead as u32 } else { 0 };
        Nearest { place, key, next }
    }
}

/// The nearest of the packed vectors for each row, by tiles of `R` rows and `P` panels.
#[inline(always)]
pub(crate) fn nearest<S: Tiles<N>, const N: usize, const R: usize, const P: usize>(
    isa: S,
    rows: &[&[f32]],
    panels: &Panels,
    out: &mut [Nearest],
) {
    if rows.len() != out.len() {
        unequal(rows.len(), out.len());
    }
    let len = panels.len();
    for row in rows {
        if row.len() != len {
            unequal(row.len(), len);
        }
    }
    for (rows, out) in rows.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let mut leads = [Lead::NONE; BLOCK];
        let mut all = panels.panels();
        let mut number = 0;
        while let Some(first) = all.next() {
            // A tile that is not full does some of its work twice.
            let mut some = [first; P];
            let mut count = 1;
            for place in &mut some[1..] {
                if let Some(panel) = all.next() {
                    *place = panel;
                    count += 1;
                }
            }
            for (rows, leads) in rows.chunks(R).zip(leads.chunks_mut(R)) {
                let mut tile = [rows[0]; R];
                tile[..rows.len()].copy_from_slice(rows);
                let products = products::<S, N, R, P>(isa, len, tile, &some);
                for r in 0..rows.len() {
                    for p in 0..count {
                        leads[r].take(&products[r][p], some[p].1, number + p as u32);
                    }
                }
            }
            number += count as u32;
        }
        for (lead, out) in leads.iter().zip(out) {
            *out = lead.nearest();
        }
    }
}

/// The products of `R` rows with `P` panels. (Loops instead of closures, which would not be compiled for the caller's CPU.)
#[inline(always)]
fn products<S: Tiles<N>, const N: usize, const R: usize, const P: usize>(
    isa: S,
    len: usize,
    rows: [&[f32]; R],
    panels: &[(&[Line], &KeyLines); P],
) -> [[Line; P]; R] {
    // Of one length for the compiler to see.
    let mut tile = [&rows[0][..0]; R];
    let mut lines = [&panels[0].0[..0]; P];
    for r in 0..R {
        tile[r] = &rows[r][..len];
    }
    for p in 0..P {
        lines[p] = &panels[p].0[..len];
    }
    let mut sums = [[[isa.zero(); N]; P]; R];
    for k in 0..len {
        let mut loaded = [[isa.zero(); N]; P];
        for p in 0..P {
            loaded[p] = isa.load_line(&lines[p][k].0);
        }
        for r in 0..R {
            let x = isa.splat(tile[r][k]);
            for p in 0..P {
                for n in 0..N {
                    sums[r][p][n] = isa.mul_add(x, loaded[p][n], sums[r][p][n]);
                }
            }
        }
    }
    let mut out = [[Line([0.0; LANES]); P]; R];
    for r in 0..R {
        for p in 0..P {
            isa.store_line(sums[r][p], &mut out[r][p].0);
        }
    }
    out
}
