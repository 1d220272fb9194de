select * from gold.model limit 1
