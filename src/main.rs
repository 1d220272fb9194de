//! The `clickrec` program: parse, dispatch, exit code. Everything else is in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(debug_assertions)]
    let _scenario = clickrec::failpoint::from_environment();
    clickrec::cli::main()
}
