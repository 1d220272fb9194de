-- Whether the model knows an item.
select id from gold.als_factors where kind = 'item' and id = $item limit 1
