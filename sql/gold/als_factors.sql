-- gold.als_factors: one row per session and per item of the model: its position in taste space. One more row, of kind
-- 'model', describes in `model` (NULL in other rows) how the model was trained, and how well.
-- Key: kind, id. Trained by alternating least squares for implicit feedback (Hu, Koren, Volinsky 2008).
-- `clickrec evaluate --grid alpha=200,2000 factors=64,128 --model als` tries other values. To continue training from the
-- last model, add: warm_start => 'gold.als_factors'.
-- Training reads everything, so it waits until enough data is new (pipelines.yaml: `refresh_after`).
select
    ---------- IDs
    kind,
    id,

    ---------- the model
    factors,
    model,

    ---------- the version of gold.session_items that it was trained on, in the model's row
    case when kind = 'model' then table_version('gold.session_items') end as data_version
from als_train(
    gold.session_items,
    user => session_id,
    item => item_id,
    weight => weight,
    factors => var('factors', 64),
    iterations => var('iterations', 15),
    regularization => var('regularization', 1.0),
    alpha => var('alpha', 0),     -- 0: derived from the number of items
    seed => 42
)
