//! A small session for unit tests.

#![allow(clippy::unwrap_used)]

use datafusion::prelude::SessionContext;

use super::{Bindings, Engine, EngineOptions};

/// A session over these tables, with 64 MiB of memory.
pub(super) async fn session(bindings: &Bindings) -> SessionContext {
    let options = EngineOptions {
        memory_bytes: 64 << 20,
        spill_dir: None,
        threads: Some(2),
    };
    Engine::new(&options).unwrap().session(bindings).await.unwrap()
}
