select max(ended_at) as newest_at from gold.sessions
