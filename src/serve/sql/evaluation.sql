select * from system.evaluations order by evaluated_at desc limit 1
