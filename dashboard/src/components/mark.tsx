/** The leash: a lead and its ring. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
      <rect width="32" height="32" rx="7" class="mark-ground" />
      <path d="M9 6.5v12a6 6 0 0 0 6 6h2.5" class="mark-lead" />
      <circle cx="22" cy="22" r="4" class="mark-ring" />
    </svg>
  );
}
