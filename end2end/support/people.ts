// The members of the sample data (src/control/demo.rs makes them).

export interface Person { email: string; password: string }

const password = 'reprise-demo';

export const people = {
  /** Owner of Érablière Boréale, whose volumes the sample data holds. */
  owner: { email: 'mt@boreale.example', password },
  /** Viewer of the same organization. */
  viewer: { email: 'viewer@boreale.example', password },
  /** Owner of another organization, which has nothing. */
  stranger: { email: 'jb@laurentides.example', password },
} satisfies Record<string, Person>;
