import { issue, renew } from "../../src/library.ts";

const common = {
  stateDir: "/tmp/.dns01-library-LomLO3", ...{"caRoot":"-----BEGIN CERTIFICATE-----\nMIIBvzCCAWWgAwIBAgIRALGKJofLURrrRaHXgpnVJaMwCgYIKoZIzj0EAwIwPzEL\nMAkGA1UEBhMCWFgxFjAUBgNVBAoTDWRuczAxIHNhbmRib3gxGDAWBgNVBAMTD1Nh\nbmRib3ggUm9vdCBYMTAeFw0yNjExMjYwMzUxMzFaFw0zNjExMjQwMzUxMzFaMD8x\nCzAJBgNVBAYTAlhYMRYwFAYDVQQKEw1kbnMwMSBzYW5kYm94MRgwFgYDVQQDEw9T\nYW5kYm94IFJvb3QgWDEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATquYx7/ABA\nOmUdZ/scvlGJnBFTobvxVEjlMJdpNJsDXUGZV9hJ7C7G63/FNm2JjoU2mUUG1L3d\n/3tMk7LyBkFMo0IwQDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAd\nBgNVHQ4EFgQUV832rF0GkHVnTtpiKM/iGDiFl/cwCgYIKoZIzj0EAwIDSAAwRQIh\nAJtbJTt2P+AM8bA1RbYLNx5z9gcHxPoRoIm5KYoRByf9AiAW5F+ZeRc1HOQLEXhp\na7ML0kkJgXp0iNJHpNP1YlaoeQ==\n-----END CERTIFICATE-----\n","resolvers":[{"address":"127.0.0.1","port":35979}],"dnsPort":40675},
  solvers: [
    {
      provider: "rfc2136",
      config: { nameserver: "127.0.0.1:40675", tsigKeyName: "sandbox-key", tsigSecret: "4F8HJ0tFvbH1b26wABw9+GhHvfjFeevVA2TQVDEJ5W4=" },
    },
  ],
};

const certificate = await issue({
  ...common,
  ca: "https://127.0.0.1:41831/directory",
  email: "ops@example.test",
  domains: ["example.test", "*.example.test"],
});
console.log(certificate.name, certificate.notAfter, certificate.files?.fullchain);

for (const { name, status, reason, renewAfter, error } of await renew(common)) {
  if (error === undefined) console.log(name, status, reason, renewAfter?.toISOString());
  else console.error(name, status, error.code, error.message);
}
