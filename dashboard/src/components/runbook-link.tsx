/** Where it says what to do. Whoever starts a job chose the address: the page behind it must not learn ours, nor reach it. */
export function RunbookLink({ url }: { readonly url: string }) {
  // The schema has let only these through; a link is the wrong place to rely on that.
  if (!/^https?:\/\//i.test(url)) return <>{url}</>;
  return (
    <a href={url} target="_blank" rel="noopener noreferrer nofollow" class="runbook">
      {url}
    </a>
  );
}
