"""The invariants of R4, one line each: what breaks it, and beside it what does not."""

from __future__ import annotations

import pytest

from gateway.fhir import structure, text

UCUM = "http://unitsofmeasure.org"
DIV = '<div xmlns=\\"http://www.w3.org/1999/xhtml\\">%s</div>'
CAPABILITY = (
    '{"resourceType":"CapabilityStatement","status":"active","date":"2026","fhirVersion":"4.0.1",'
    '"format":["json"],%s}'
)
CONSENT = (
    '{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"something",'
    '"code":"research"}]},"category":[{"text":"x"}],"policyRule":{"text":"x"}%s}'
)
CONDITION = '{"resourceType":"Condition","subject":{"reference":"Patient/1"},%s}'
OBSERVATION = '{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"a"}]},%s}'
TIMING = (
    '{"resourceType":"ServiceRequest","status":"active","intent":"order",'
    '"subject":{"reference":"Patient/1"},"occurrenceTiming":{"repeat":{%s}}}'
)
TASK = '{"resourceType":"Task","status":"ready","intent":"order",%s}'
AUDIT = (
    '{"resourceType":"AuditEvent","type":{"code":"x"},"recorded":"2026-01-01T00:00:00Z",'
    '"agent":[{"requestor":true}],"source":{"observer":{"display":"x"}},"entity":[{%s}]}'
)
COMPOSITION = (
    '{"resourceType":"Composition","status":"final","type":{"text":"x"},"date":"2026","title":"x",'
    '"author":[{"display":"x"}],"section":[{%s}]}'
)
STATUS = "http://terminology.hl7.org/CodeSystem/condition-"

CASES = [
    # key, breaks it, keeps it
    ("age-1", CONDITION % '"onsetAge":{"value":0,"code":"a","system":"%s"}' % UCUM,
     CONDITION % '"onsetAge":{"value":1,"code":"a","system":"%s"}' % UCUM),
    ("att-1", '{"resourceType":"Patient","photo":[{"data":"AAAA"}]}',
     '{"resourceType":"Patient","photo":[{"data":"AAAA","contentType":"image/png"}]}'),
    ("cmp-1", COMPOSITION % '"title":"x"', COMPOSITION % '"title":"x","entry":[{"display":"y"}]'),
    ("cmp-2", COMPOSITION % '"entry":[{"display":"y"}],"emptyReason":{"text":"x"}',
     COMPOSITION % f'"text":{{"status":"empty","div":"{DIV % "x"}"}},"emptyReason":{{"text":"x"}}'),
    ("con-4", CONDITION % '"abatementDateTime":"2026"',
     CONDITION % '"abatementDateTime":"2026","clinicalStatus":{"coding":[{"system":"%sclinical",'
     '"code":"resolved"}]}' % STATUS),
    ("con-5", CONDITION % '"clinicalStatus":{"text":"x"},"verificationStatus":{"coding":[{"system":'
     '"%sver-status","code":"entered-in-error"}]}' % STATUS,
     CONDITION % '"clinicalStatus":{"text":"x"},"verificationStatus":{"coding":[{"system":'
     '"%sver-status","code":"confirmed"}]}' % STATUS),
    ("con-1", CONDITION % '"stage":[{"type":{"text":"x"}}]',
     CONDITION % '"stage":[{"summary":{"text":"x"}}]'),
    ("cpb-1", CAPABILITY % '"kind":"requirements","description":"x"',
     CAPABILITY % '"kind":"requirements","description":"x","rest":[{"mode":"server"}]'),
    ("cpb-2", CAPABILITY % '"kind":"requirements","rest":[{"mode":"server"}]',
     CAPABILITY % '"kind":"requirements","description":"x","rest":[{"mode":"server"}]'),
    ("cpb-3", CAPABILITY % '"kind":"requirements","description":"x","messaging":[{"endpoint":'
     '[{"protocol":{"code":"http"},"address":"http://x"}]}]',
     CAPABILITY % '"kind":"requirements","description":"x","messaging":[{"reliableCache":1}]'),
    ("cpb-7", CAPABILITY % '"kind":"requirements","description":"x","document":[{"mode":"producer",'
     '"profile":"http://x"},{"mode":"producer","profile":"http://x"}]',
     CAPABILITY % '"kind":"requirements","description":"x","document":[{"mode":"producer",'
     '"profile":"http://x"},{"mode":"consumer","profile":"http://x"}]'),
    ("cpb-9", CAPABILITY % '"kind":"requirements","description":"x","rest":[{"mode":"server",'
     '"resource":[{"type":"Patient"},{"type":"Patient"}]}]',
     CAPABILITY % '"kind":"requirements","description":"x","rest":[{"mode":"server",'
     '"resource":[{"type":"Patient"},{"type":"Group"}]}]'),
    ("cpb-12", CAPABILITY % '"kind":"requirements","description":"x","rest":[{"mode":"server",'
     '"resource":[{"type":"Patient","searchParam":[{"name":"a","type":"token"},'
     '{"name":"a","type":"token"}]}]}]',
     CAPABILITY % '"kind":"requirements","description":"x","rest":[{"mode":"server",'
     '"resource":[{"type":"Patient","searchParam":[{"name":"a","type":"token"},'
     '{"name":"b","type":"token"}]}]}]'),
    ("cpb-14", CAPABILITY % '"kind":"instance","software":{"name":"x"},"rest":[{"mode":"server"}]',
     CAPABILITY % '"kind":"instance","implementation":{"description":"x"},'
     '"rest":[{"mode":"server"}]'),
    ("cpb-15", CAPABILITY % '"kind":"capability","description":"x","rest":[{"mode":"server"}]',
     CAPABILITY % '"kind":"capability","software":{"name":"x"},"rest":[{"mode":"server"}]'),
    ("cpb-16", CAPABILITY % '"kind":"requirements","software":{"name":"x"},'
     '"rest":[{"mode":"server"}]',
     CAPABILITY % '"kind":"requirements","description":"x","rest":[{"mode":"server"}]'),
    ("cpt-2", '{"resourceType":"Patient","telecom":[{"value":"1"}]}',
     '{"resourceType":"Patient","telecom":[{"value":"1","system":"phone"}]}'),
    ("dom-2", '{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"contained":['
     '{"resourceType":"Organization","id":"o","partOf":{"reference":"#q"},"contained":['
     '{"resourceType":"Organization","id":"q","name":"x"}]}]}',
     '{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"contained":['
     '{"resourceType":"Organization","id":"o","partOf":{"reference":"#q"}},'
     '{"resourceType":"Organization","id":"q","name":"x"}]}'.replace(
         '"o","partOf"', '"o","name":"x","partOf"')),
    ("dom-3", '{"resourceType":"Patient","contained":['
     '{"resourceType":"Organization","id":"o","name":"x"}]}',
     '{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"contained":['
     '{"resourceType":"Organization","id":"o","name":"x"}]}'),
    ("dom-4", '{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"contained":['
     '{"resourceType":"Organization","id":"o","name":"x","meta":{"versionId":"1"}}]}',
     '{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"contained":['
     '{"resourceType":"Organization","id":"o","name":"x","meta":{"source":"http://x"}}]}'),
    ("dom-5", '{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"contained":['
     '{"resourceType":"Organization","id":"o","name":"x","meta":{"security":[{"code":"R"}]}}]}',
     '{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"contained":['
     '{"resourceType":"Organization","id":"o","name":"x","meta":{"tag":[{"code":"R"}]}}]}'),
    ("drt-1", TIMING % '"boundsDuration":{"value":1,"code":"d","system":"http://x"}',
     TIMING % '"boundsDuration":{"value":1,"code":"d","system":"%s"}' % UCUM),
    ("ext-1", '{"resourceType":"Patient","extension":[{"url":"x"}]}',
     '{"resourceType":"Patient","extension":[{"url":"x","valueCode":"y"}]}'),
    ("ext-1", '{"resourceType":"Patient","extension":[{"url":"x","valueCode":"y","extension":'
     '[{"url":"z","valueCode":"y"}]}]}',
     '{"resourceType":"Patient","extension":[{"url":"x","extension":'
     '[{"url":"z","valueCode":"y"}]}]}'),
    ("inv-1", '{"resourceType":"Parameters","parameter":[{"name":"a"}]}',
     '{"resourceType":"Parameters","parameter":[{"name":"a","valueCode":"b"}]}'),
    ("inv-1", TASK % '"authoredOn":"2026-01-02","lastModified":"2026-01-01"',
     TASK % '"authoredOn":"2026-01-01","lastModified":"2026-01-01"'),
    ("obs-3", OBSERVATION % '"referenceRange":[{"type":{"text":"x"}}]',
     OBSERVATION % '"referenceRange":[{"text":"x"}]'),
    ("obs-6", OBSERVATION % '"valueString":"x","dataAbsentReason":{"text":"x"}',
     OBSERVATION % '"dataAbsentReason":{"text":"x"}'),
    ("obs-7", OBSERVATION % '"valueString":"x","component":[{"code":{"coding":[{"code":"a"}]}}]',
     OBSERVATION % '"valueString":"x","component":[{"code":{"coding":[{"code":"b"}]}}]'),
    ("org-1", '{"resourceType":"Organization","active":true}',
     '{"resourceType":"Organization","name":"x"}'),
    ("org-2", '{"resourceType":"Organization","name":"x","address":[{"use":"home","city":"x"}]}',
     '{"resourceType":"Organization","name":"x","address":[{"use":"work","city":"x"}]}'),
    ("org-3", '{"resourceType":"Organization","name":"x","telecom":[{"use":"home"}]}',
     '{"resourceType":"Organization","name":"x","telecom":[{"use":"work"}]}'),
    ("pat-1", '{"resourceType":"Patient","contact":[{"gender":"male"}]}',
     '{"resourceType":"Patient","contact":[{"gender":"male","name":{"text":"x"}}]}'),
    ("per-1", OBSERVATION % '"effectivePeriod":{"start":"2026-01-02","end":"2026-01-01"}',
     OBSERVATION % '"effectivePeriod":{"start":"2026-01-02","end":"2026-01"}'),
    ("per-1", OBSERVATION % '"effectivePeriod":{"start":"2026-01-01T10:00:00Z",'
     '"end":"2026-01-01T12:59:59+03:00"}',
     OBSERVATION % '"effectivePeriod":{"start":"2026-01-01T10:00:00Z",'
     '"end":"2026-01-01T13:00:00+03:00"}'),
    ("ppc-1", CONSENT.replace(',"policyRule":{"text":"x"}', "") % ',"patient":{"display":"x"}',
     CONSENT % ',"patient":{"display":"x"}'),
    ("ppc-3", CONSENT % "", CONSENT % ',"patient":{"display":"x"}'),
    ("prr-1", '{"resourceType":"ServiceRequest","status":"active","intent":"order",'
     '"subject":{"display":"x"},"orderDetail":[{"text":"x"}]}',
     '{"resourceType":"ServiceRequest","status":"active","intent":"order",'
     '"subject":{"display":"x"},"orderDetail":[{"text":"x"}],"code":{"text":"y"}}'),
    ("qty-3", OBSERVATION % '"valueQuantity":{"code":"g"}',
     OBSERVATION % '"valueQuantity":{"code":"g","system":"http://x"}'),
    ("rat-1", OBSERVATION % '"valueRatio":{"numerator":{"value":1}}',
     OBSERVATION % '"valueRatio":{"numerator":{"value":1},"denominator":{"value":160}}'),
    ("ref-1", OBSERVATION % '"subject":{"reference":"#p"}',
     OBSERVATION % '"subject":{"reference":"#p"},"contained":['
     '{"resourceType":"Patient","id":"p","active":true}]'),
    ("rng-2", OBSERVATION % '"valueRange":{"low":{"value":5.1},"high":{"value":5.0}}',
     OBSERVATION % '"valueRange":{"low":{"value":5.1,"unit":"mg"},"high":{"value":5,"unit":"g"}}'),
    ("sev-1", AUDIT % '"name":"x","query":"AAAA"', AUDIT % '"name":"x"'),
    ("tim-1", TIMING % '"duration":1', TIMING % '"duration":1,"durationUnit":"h"'),
    ("tim-2", TIMING % '"period":1', TIMING % '"period":1,"periodUnit":"h"'),
    ("tim-4", TIMING % '"duration":-1,"durationUnit":"h"',
     TIMING % '"duration":0,"durationUnit":"h"'),
    ("tim-5", TIMING % '"period":-0.5,"periodUnit":"h"', TIMING % '"period":0,"periodUnit":"h"'),
    ("tim-6", TIMING % '"periodMax":1', TIMING % '"period":1,"periodMax":1,"periodUnit":"h"'),
    ("tim-7", TIMING % '"durationMax":1',
     TIMING % '"duration":1,"durationMax":1,"durationUnit":"h"'),
    ("tim-8", TIMING % '"countMax":1', TIMING % '"count":1,"countMax":1'),
    ("tim-9", TIMING % '"offset":1,"when":["C"]', TIMING % '"offset":1,"when":["HS"]'),
    ("tim-10", TIMING % '"timeOfDay":["10:00:00"],"when":["HS"]', TIMING % '"when":["HS"]'),
    ("txt-1", f'{{"resourceType":"Patient","text":{{"status":"generated","div":"'
     f'{DIV % "<script>x</script>"}"}}}}',
     f'{{"resourceType":"Patient","text":{{"status":"generated","div":"{DIV % "<p>x</p>"}"}}}}'),
    ("txt-2", f'{{"resourceType":"Patient","text":{{"status":"generated","div":"{DIV % " "}"}}}}',
     f'{{"resourceType":"Patient","text":{{"status":"generated","div":"{DIV % "x"}"}}}}'),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "breaks", "keeps"), CASES)
def test_the_rule_holds(rule: str, breaks: str, keeps: str) -> None:
    """The rule is named where it is broken, and its neighbour passes."""
    problems = structure.problems(text.loads(breaks.encode()))
    assert ("FMT-320", rule) in [(found.code, found.detail.get("rule")) for found in problems]
    assert structure.problems(text.loads(keeps.encode())) == ()


@pytest.mark.parametrize(
    "markup",
    [
        "<img src=\\\"javascript:x\\\"/>", "<a href=\\\" JavaScript:x\\\">x</a>",
        "<b onclick=\\\"x\\\">x</b>", "<iframe>x</iframe>", "<b>x", "<?php x ?>x", "&nosuch;",
        "<form>x</form>", "<object>x</object>", "<link/>x",
    ],
)  # fmt: skip
def test_a_narrative_holds_nothing_active(markup: str) -> None:
    """It is shown in a clinic's browser."""
    body = f'{{"resourceType":"Patient","text":{{"status":"generated","div":"{DIV % markup}"}}}}'
    (problem,) = structure.problems(text.loads(body.encode()))
    assert (problem.detail["rule"], problem.place) == ("txt-1", "/text")
