select * from silver.events where session_id = $session_id
