//! Documents, opened by programs that know nothing of this one.

mod cases;
mod formulas;
mod office;
mod page;
mod workbooks;
