declare namespace Cloudflare {
  interface GlobalProps {
    /** Gives `exports` of `cloudflare:workers` its type. */
    mainModule: typeof import('../../index.ts');
  }
}
