-- gold.als_factors: one row per session and per item of the model: its position in taste space; and one of kind
-- 'model' that says in `model` (NULL elsewhere) how it was learned, and how well.
-- Key: kind, id. Learned by alternating least squares for implicit feedback (Hu, Koren, Volinsky 2008).
-- `clickrec evaluate --grid alpha=200,2000 factors=64,128 --model als` tries other values. For training to go on from the
-- last model, add: warm_start => 'gold.als_factors'.
-- Training reads everything, so it waits until enough is new (pipelines.yaml: `refresh_after`).
select
    ---------- ids
    kind,
    id,

    ---------- the model
    factors,
    model,

    ---------- the version of gold.session_items that it was learned from, on the row of the model
    case when kind = 'model' then table_version('gold.session_items') end as data_version
from als_train(
    gold.session_items,
    user => session_id,
    item => item_id,
    weight => weight,
    factors => var('factors', 64),
    iterations => var('iterations', 15),
    regularization => var('regularization', 1.0),
    alpha => var('alpha', 0),     -- 0: by the number of items
    seed => 42
)
