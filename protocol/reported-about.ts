/** What a job is, in answers of the API. It was checked when it came in: the checks would only make the dashboard larger. */
import * as v from 'valibot';

export const ReportedAbout = v.object({
  tags: v.array(v.string()),
  owner: v.nullable(v.string()),
  runbook: v.nullable(v.string()),
  note: v.nullable(v.string()),
});
