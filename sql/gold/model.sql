-- gold.model: one row: how the current model was trained, on which version of the data, and how well.
-- Older versions of this table and of gold.als_factors describe older models (time travel).
select
    ---------- versions
    table_version('gold.als_factors') as model_version,
    data_version,

    ---------- how it was trained
    model['factors'] as factors,
    model['iterations'] as iterations,
    model['regularization'] as regularization,
    model['alpha'] as alpha,
    model['nu'] as nu,
    model['init_scale'] as init_scale,
    model['solver'] as solver,
    model['seed'] as seed,
    model['users'] as sessions,
    model['items'] as items,
    model['interactions'] as interactions,

    ---------- how well
    model['loss'] as loss,
    model['losses'] as losses,
    model['holdout'] as holdout,
    model['held_out_score'] as held_out_score
from gold.als_factors
where kind = 'model'
