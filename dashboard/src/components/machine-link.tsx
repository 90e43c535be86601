import { Link, machinePath } from '../router.tsx';

/** A machine's name, which leads to its page. */
export function MachineLink({ name }: { readonly name: string }) {
  return (
    <Link to={machinePath(name)} class="machine-link" title={`Machine ${name}`}>
      {name}
    </Link>
  );
}
