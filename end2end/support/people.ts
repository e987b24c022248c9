// The members of the sample data.

export interface Person { email: string; password: string; name: string }

export const people = {
  owner: { email: 'mt@boreale.example', password: 'reprise-demo', name: '' },
  viewer: { email: 'viewer@boreale.example', password: 'reprise-demo', name: '' },
  stranger: { email: 'stranger@other.example', password: 'reprise-demo', name: '' },
} satisfies Record<string, Person>;
