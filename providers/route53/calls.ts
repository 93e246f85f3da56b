import type {
  Change,
  ListHostedZonesByNameCommandInput,
  ListHostedZonesByNameCommandOutput,
  ListResourceRecordSetsCommandInput,
  ListResourceRecordSetsCommandOutput,
  ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import type { Aws } from "./access.ts";
import { noAnswer } from "./errors.ts";
import { plainName } from "./sets.ts";

export interface HostedZone {
  /** Without "/hostedzone/". */
  readonly id: string;
  readonly isPrivate: boolean;
}

/** The requests that are made of Route 53. Answers are looked at: a proxy's page with status 200 is parsed to nothing. */
export function createCalls(aws: Aws, client: Route53Client) {
  return {
    /** All hosted zones of exactly this name. The list begins at the name and goes on with others. */
    async zonesNamed(apex: string, abortSignal: AbortSignal): Promise<readonly HostedZone[]> {
      const found: HostedZone[] = [];
      let input: ListHostedZonesByNameCommandInput | undefined = { DNSName: apex };
      while (input !== undefined) {
        const command = new aws.ListHostedZonesByNameCommand(input);
        const page: ListHostedZonesByNameCommandOutput = await client.send(command, { abortSignal });
        const { HostedZones, IsTruncated, NextDNSName, NextHostedZoneId } = page;
        if (HostedZones === undefined) throw noAnswer("ListHostedZonesByName");
        for (const { Id = "", Name = "", Config } of HostedZones) {
          if (plainName(Name) !== apex) continue;
          found.push({ id: Id.replace(/^\/hostedzone\//, ""), isPrivate: Config?.PrivateZone ?? false });
        }
        const goesOn = IsTruncated && NextDNSName !== undefined && plainName(NextDNSName) === apex;
        input = goesOn ? { DNSName: NextDNSName, HostedZoneId: NextHostedZoneId } : undefined;
      }
      return found;
    },

    /** The first of the account's hosted zones. Throws where the first page does not tell of any. */
    async zoneNames(isPrivate: boolean, abortSignal: AbortSignal): Promise<readonly string[]> {
      const command = new aws.ListHostedZonesByNameCommand({ MaxItems: 100 });
      const { HostedZones, IsTruncated = false } = await client.send(command, { abortSignal });
      if (HostedZones === undefined) throw noAnswer("ListHostedZonesByName");
      const wanted = HostedZones.filter(({ Config }) => (Config?.PrivateZone ?? false) === isPrivate);
      // "None" would be wrong: a page of zones of the other kind comes first.
      if (wanted.length === 0 && IsTruncated) throw noAnswer("ListHostedZonesByName");
      return wanted.map(({ Name = "" }) => Name);
    },

    /**
     * The apex of a zone, by a right that writing needs anyway: a zone's records begin with those of its apex, SOA and NS
     * among them. Stand-ins of the service may have none; GetHostedZone, a right of its own, tells it then.
     */
    async apexOf(zoneId: string, abortSignal: AbortSignal): Promise<string> {
      const command = new aws.ListResourceRecordSetsCommand({ HostedZoneId: zoneId, MaxItems: 10 });
      const { ResourceRecordSets: sets } = await client.send(command, { abortSignal });
      if (sets === undefined) throw noAnswer("ListResourceRecordSets");
      const first = sets.find(({ Type }) => Type === "SOA") ?? sets[0];
      const isApex = sets.some(({ Name, Type }) => Name === first?.Name && (Type === "SOA" || Type === "NS"));
      if (isApex && first?.Name !== undefined) return plainName(first.Name);
      const { HostedZone } = await client.send(new aws.GetHostedZoneCommand({ Id: zoneId }), { abortSignal });
      if (HostedZone?.Name === undefined) throw noAnswer("GetHostedZone");
      return plainName(HostedZone.Name);
    },

    /** All TXT sets of a name: one, or several where each has an identifier. The list begins at the name, too. */
    async txtSets(zoneId: string, fqdn: string, abortSignal: AbortSignal): Promise<readonly ResourceRecordSet[]> {
      const found: ResourceRecordSet[] = [];
      const isOurs = (name = "", type = "") => plainName(name) === fqdn && type === "TXT";
      const start = {
        HostedZoneId: zoneId,
        StartRecordName: `${fqdn}.`,
        StartRecordType: "TXT",
        MaxItems: 20,
      } as const;
      let input: ListResourceRecordSetsCommandInput | undefined = start;
      while (input !== undefined) {
        const command = new aws.ListResourceRecordSetsCommand(input);
        const page: ListResourceRecordSetsCommandOutput = await client.send(command, { abortSignal });
        const { ResourceRecordSets: sets, IsTruncated, NextRecordName, NextRecordType, NextRecordIdentifier } = page;
        if (sets === undefined) throw noAnswer("ListResourceRecordSets");
        found.push(...sets.filter(({ Name, Type }) => isOurs(Name, Type)));
        const goesOn = IsTruncated && isOurs(NextRecordName, NextRecordType);
        input = goesOn ? { ...start, StartRecordIdentifier: NextRecordIdentifier } : undefined;
      }
      return found;
    },

    /** The id of the change. */
    async change(zoneId: string, changes: readonly Change[], abortSignal: AbortSignal): Promise<string> {
      const ChangeBatch = { Comment: "dns01", Changes: [...changes] };
      const command = new aws.ChangeResourceRecordSetsCommand({ HostedZoneId: zoneId, ChangeBatch });
      const { ChangeInfo } = await client.send(command, { abortSignal });
      if (ChangeInfo?.Id === undefined) throw noAnswer("ChangeResourceRecordSets");
      return ChangeInfo.Id;
    },

    async isInsync(changeId: string, abortSignal: AbortSignal): Promise<boolean> {
      const { ChangeInfo } = await client.send(new aws.GetChangeCommand({ Id: changeId }), { abortSignal });
      if (ChangeInfo?.Status === undefined) throw noAnswer("GetChange");
      return ChangeInfo.Status === "INSYNC";
    },
  };
}
