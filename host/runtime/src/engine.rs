//! How wasmtime is set up: the smallest feature set, and a pool of instances that costs little while idle.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

use crate::{limits::TABLE_ELEMENTS_MAX, runtime::RuntimeConfig};

/// Room on a guest's native stack for the host functions that it calls, and the log behind them.
const HOST_STACK_BYTES: usize = 192 << 10;
/// Pool slots for each admitted call, because hooks nest.
const SLOTS_PER_CALL: u32 = 4;
/// A component of Python is linked from two dozen core modules; one of Rust is one to three.
const MODULES_PER_COMPONENT: u32 = 64;
/// What a released slot keeps in memory. More made instantiation slower, less costs page faults.
const KEEP_RESIDENT_BYTES: usize = 64 << 10;

/// An engine with a pool, or without where the system does not give the address space.
pub(crate) fn start(config: &RuntimeConfig) -> Result<Engine> {
    Engine::new(settings(config).allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)))).or_else(
        |error| {
            tracing::warn!(%error, "no pool for plugin instances, calls will be slower");
            Engine::new(settings(config).allocation_strategy(InstanceAllocationStrategy::OnDemand))
        },
    )
}

fn settings(config: &RuntimeConfig) -> Config {
    let mut settings = Config::new();
    settings
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(config.stack_bytes)
        .async_stack_size(config.stack_bytes + HOST_STACK_BYTES)
        .memory_init_cow(true)
        .generate_address_map(false)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false);
    settings
}

fn pool(config: &RuntimeConfig) -> PoolingAllocationConfig {
    let slots = u32::try_from(config.calls_max).unwrap_or(u32::MAX).saturating_mul(SLOTS_PER_CALL);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(MODULES_PER_COMPONENT / SLOTS_PER_CALL))
        .total_memories(slots)
        .total_tables(slots)
        .total_stacks(slots)
        .max_core_instances_per_component(MODULES_PER_COMPONENT)
        .max_memories_per_component(2)
        .max_tables_per_component(4)
        .max_memory_size(config.memory_bytes_max)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_unused_warm_slots(u32::try_from(config.calls_max).unwrap_or(u32::MAX))
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}
