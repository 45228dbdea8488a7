"""Filters whose answers MLflow 3.18 was seen to give on the traces `a` to `d` of `model_population`: one a line."""

from __future__ import annotations

VECTORS = r"""
status = 'OK'
status = 'ok'
status IN ('OK','ERROR')
status NOT IN ('OK')
status ILIKE 'o%'
status RLIKE '^O'
trace.status = 'OK'
attributes.status = 'OK'
attr.status = 'OK'
Trace.status = 'OK'
name != 'Alpha'
name LIKE 'alpha'
name LIKE '100%'
name LIKE '100\%%'
name RLIKE '^A.*a$'
name IN ('Alpha','beta')
name IS NULL
name IS NOT NULL
tags.mlflow.traceName IS NULL
timestamp > 1000
timestamp_ms = 2000
timestamp_ms > '1000'
timestamp > 1000.5
timestamp IN (1000)
timestamp > -5
timestamp LIKE '1%'
execution_time_ms = 10
execution_time != 10
end_time >= 2000
end_time_ms = 3050
client_request_id = 'c-1'
client_request_id != 'c-1'
client_request_id IN ('c-1')
request_id = 'tr-a'
request_id LIKE 'tr-%'
trace_id = 'tr-a'
run_id = 'r1'
run_id != 'r1'
run_id LIKE 'r%'
run_id IS NULL
tag.env = 'prod'
tags.env = "prod"
tags.env LIKE 'pro%'
tags.env ILIKE 'pro%'
tags.env IN ('prod')
tags.env NOT IN ('prod')
tags.env IS NOT NULL
tags.missing != 'x'
tags."my key" = 'v 1'
tags.a.b = 'dot'
tags.env = 'it''s'
tags.env = "it's"
tags.env = 5
metadata.k = 'v'
metadata.k != 'v'
metadata.k IN ('v')
metadata.mlflow.trace.session = 's1'
metadata.`mlflow.trace.session` != 's1'
session = 's1'
session_id = 's1'
metadata.mlflow.trace.tokenUsage LIKE '%7%'
metadata.mlflow.trace.tokenUsage = '{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}'
span.name = 'llm_call'
span.name != 'llm_call'
span.name ILIKE 'LLM%'
span.name IN ('root')
span.type != 'LLM'
span.status = 'ERROR'
span.name = 'llm_call' AND span.type = 'CHAIN'
span.name = 'root' AND span.type = 'LLM'
span.id = '1'
span.parent_id = '1'
span.content LIKE '%Hello%'
span.content LIKE '%hello%'
span.content RLIKE 'Hello'
span.attributes.model = 'gpt-4'
span.attributes.model LIKE '%gpt%'
span.attributes.model ILIKE '%GPT%'
span.attributes.model IN ('gpt-4')
span.attributes.model RLIKE '^gpt'
span.attributes.temp = '0.7'
span.attributes.temp > 0.5
span.attributes.n LIKE '%5%'
span.attributes.flag LIKE '%true%'
span.attributes.`mlflow.spanInputs` LIKE '%Hello%'
span.attributes. = 'x'
trace.text LIKE '%hello%'
trace.text ILIKE '%hello%'
trace.text = 'Hello'
trace.text LIKE '%naïve%'
trace.text LIKE '%\"hi\"%'
trace.text LIKE '%LLM%'
trace.text RLIKE 'Hello'
trace.text LIKE '%Hello%' AND trace.text LIKE '%café%'
feedback.score > '0.5'
feedback.score >= 5
feedback.score = 0.9
feedback.score != '0.9'
feedback.ok = 'true'
feedback.ok = 'True'
feedback.ok = 'yes'
feedback.ok = true
feedback.ok != 'true'
feedback.ok LIKE 'y%'
feedback.ok IN ('yes')
feedback.rel = 'no'
feedback.rel IS NULL
feedback.rel IS NOT NULL
feedback.err IS NOT NULL
feedback.lst LIKE '%a%'
feedback.sess IS NULL
feedback.`score` > 0.5
expectation.exp = 'abc'
expectation.exp IS NOT NULL
expectation.exp > 3
assessment.score > 0.5
issue.id = 'iss-1'
issue.id != 'iss-1'
prompt = 'p/1'
prompt = 'p'
prompts = 'p/1'
status = 'OK' OR status = 'ERROR'
NOT status = 'OK'
status = 'OK' and name = 'Alpha'
AND status = 'OK'
status = 'OK' name = 'Alpha'
status='OK'
status == 'OK'
'OK' = status
status = OK
status = "OK"
status BETWEEN 'A' AND 'Z'
foo.bar = 'x'
experiment_id = '1'
metadata.mlflow.modelId = 'm'
request_preview LIKE '%a%'
status IN ('OK', 5)
status IN 'OK'
tags.env is not null
tags.env like 'pro%'
feedback.rel is null
timestamp > 1000 and tags.env = 'Prod'
tags.env = 'prod' AND tags.env != 'Prod'
run_id = 'r1' AND run_id = 'r2'
tags.group = 'x'
tags.date = 'x'
tags.timestamp > '5'
tags.timestamp = '5'
tags.key = 'x'
tags.type = 'x'
feedback.name = 'x'
feedback.value > 1
feedback.prompt = 'x/1'
feedback.run_id = 'x'
metadata.name = 'Alpha'
tags.name = 'Alpha'
tags.text LIKE '%Hello%'
feedback.timestamp > 1
feedback.end_time > 1
feedback.`my score` > 0.5
`feedback`.score > 0.5
`tags.env` = 'prod'
tags.env='prod' -- c
tags.env='prod' /* c */ AND status='OK'
feedback.score > -1
feedback.score > 1e-3
feedback.score >= 0.9 AND feedback.score < 0.95
feedback.score > 0.5 AND feedback.ok = 'true'
trace.text LIKE '%q%' AND span.status = 'ERROR'
span.attributes.model LIKE '%claude%' AND span.name = 'llm_call'
span.attributes.model LIKE '%0.7%'
span.attributes.`model` LIKE '%gpt%'
span.attributes.model NOT IN ('x')
trace.text LIKE '%hi\\"%'
trace.text LIKE '%mlflow.spanInputs%'
trace.text LIKE '%Hello World%'
execution_time = '10'
execution_time > 'abc'
status IN ('OK') AND name LIKE 'A%'
status != 'OK' AND status != 'ERROR'
tags.env IS NULL AND status = 'OK'
name = "Al'pha"
tags.env NOT LIKE 'p%'
feedback.score IS NOT NULL AND feedback.score IS NULL
timestamp>1000
timestamp >1000 AND timestamp<= 4000
""".strip().split("\n")
"""Each is asked of both stores; what MLflow answers is what counts."""
