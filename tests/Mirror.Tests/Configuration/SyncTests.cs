using Mirror.Sync.Jobs;
using Mirror.Sync.Scheduling;
using static Mirror.Tests.Configuration.Configured;

namespace Mirror.Tests.Configuration;

public sealed class SyncTests
{
    private const string Registries =
        "registries: { docker.io: { default: true }, site-b.example: { pullThrough: false }, gone.example: { offline: true } }\nlocal: ['team-*/**']\n";

    [Fact]
    public void A_job_is_read_with_all_that_it_says()
    {
        var job = Assert.Single(Load(Registries + """
            sync:
              state: sqlite
              jobs:
                base-images:
                  schedule: "0 30 2 * * *"
                  timeZone: Europe/Berlin
                  spread: 10m
                  from: site-b.example/mirror
                  to: docker.io
                  repositories: [alpine, "grafana/*", "regex:team-[ab]/.*"]
                  tags: { include: ["3.*", "semver:>=1.2 <2"], exclude: "regex:.*-rc.*", newest: 5, by: created }
                  platforms: [linux/amd64, linux/arm/v7]
                  index: rewrite
                  referrers: false
                  referrersFreshness: 2d
                  delete: true
                  deleteLimit: 20%
                  parallel: 8
                  verify: 30d
                  reserve: 50
            """).Configuration.Sync.Jobs);

        var cron = Assert.IsType<Schedule.Cron>(job.Schedule);
        Assert.Equal(("0 30 2 * * *", "Europe/Berlin", TimeSpan.FromMinutes(10)), ($"{cron.Expression}", cron.TimeZone.Id, cron.Spread));
        Assert.Equal(("base-images", "site-b.example/mirror", "docker.io"), (job.Name, $"{job.From}", $"{job.To}"));
        Assert.Equal(["alpine", "grafana/*", "regex:team-[ab]/.*"], job.Repositories.Select(filter => $"{filter}"));
        Assert.Equal(["3.*", "semver:>=1.2 <2"], job.Tags.Include.Select(filter => $"{filter}"));
        Assert.Equal(["regex:.*-rc.*"], job.Tags.Exclude.Select(filter => $"{filter}"));
        Assert.Equal((5, NewestBy.Created), (job.Tags.Newest, job.Tags.By));
        Assert.Equal(["linux/amd64", "linux/arm/v7"], job.Platforms.Select(platform => $"{platform}"));
        Assert.Equal((IndexMode.Rewrite, false, TimeSpan.FromDays(2)), (job.Index, job.Referrers, job.ReferrersFreshness));
        Assert.Equal((true, "20%", 8, TimeSpan.FromDays(30), 50), (job.Delete, $"{job.DeleteLimit}", job.Parallel, job.Verify, job.Reserve));
    }

    [Fact]
    public void What_a_job_does_not_say_has_defaults()
    {
        var job = Assert.Single(Load($"{Registries}sync: {{ jobs: {{ a: {{ from: docker.io, to: cache, repositories: alpine }} }} }}").Configuration.Sync.Jobs);

        Assert.Equal((null, IndexMode.Sparse, true, false), (job.Schedule, job.Index, job.Referrers, job.Delete));
        Assert.Equal(("10%", 4, TimeSpan.FromDays(7), TimeSpan.FromDays(1)), ($"{job.DeleteLimit}", job.Parallel, job.Verify, job.ReferrersFreshness));
        Assert.Equal((0, 0, (int?)null), (job.Tags.Include.Count, job.Tags.Exclude.Count, job.Tags.Newest));
    }

    [Theory]
    [InlineData("every 15m", "00:15:00")]
    [InlineData("every 1d", "1.00:00:00")]
    public void A_schedule_may_be_an_interval(string schedule, string interval) => Assert.Equal(
        new Schedule.Every(TimeSpan.Parse(interval, null)),
        Assert.Single(Load(Job($"schedule: {schedule}, from: docker.io, to: cache, repositories: alpine")).Configuration.Sync.Jobs).Schedule);

#if !LITEDB
    [Theory]
    [InlineData("litedb", "is not in this build: build Mirror with -p:LiteDb=true, or write sqlite")]
    [InlineData("postgres", "can not be this: write sqlite, or remove the key")]
    public void A_state_that_this_build_does_not_have_is_a_fault(string state, string fault) => Assert.Contains(
        $"mirror.yml:1:16: sync.state: '{state}' {fault}", Fault($"sync: {{ state: {state} }}"), StringComparison.Ordinal);
#endif

    [Theory]
    [InlineData("schedule: every day, ", "mirror.yml:4:18: sync.jobs.a.schedule: 'every day' is not a schedule: 'day' is not a duration")]
    [InlineData("schedule: every 0s, ", "mirror.yml:4:18: sync.jobs.a.schedule: 'every 0s' is too often: write at least every 1s")]
    [InlineData("schedule: '61 * * * *', ", "mirror.yml:4:18: sync.jobs.a.schedule: '61 * * * *' is not a schedule ('61' is no minute): write every 15m")]
    [InlineData("schedule: '0 0 30 2 *', ", "mirror.yml:4:18: sync.jobs.a.schedule: '0 0 30 2 *' is not a schedule (there is no such day): write")]
    [InlineData("schedule: '0 0 * * *', timeZone: CEST, ", "mirror.yml:4:41: sync.jobs.a.timeZone: 'CEST' is not a time zone: write UTC or one like")]
    [InlineData("schedule: every 5m, timeZone: Europe/Berlin, ", "mirror.yml:4:28: sync.jobs.a.timeZone: only cron goes by a clock")]
    [InlineData("spread: 5m, ", "mirror.yml:4:8: sync.jobs.a.spread: there is no schedule to be spread")]
    [InlineData("platforms: linux, ", "mirror.yml:4:19: sync.jobs.a.platforms: 'linux' is not a platform: write linux/amd64 or linux/arm/v7")]
    [InlineData("platforms: Linux/AMD64, ", "mirror.yml:4:19: sync.jobs.a.platforms: 'Linux/AMD64' is not a platform")]
    [InlineData("index: rewrite, ", "mirror.yml:4:8: sync.jobs.a.index: all platforms are copied, so that there is nothing to rewrite")]
    [InlineData("deleteLimit: none, ", "mirror.yml:4:21: sync.jobs.a.deleteLimit: 'none' does not say how many tags: write 1% to 100%, or a number")]
    [InlineData("parallel: 0, ", "mirror.yml:4:18: sync.jobs.a.parallel: '0' is not a number from 1 to 100")]
    [InlineData("tags: { include: 'semver:latest' }, ", "mirror.yml:4:25: sync.jobs.a.tags.include: 'semver:latest' does not say which tags (it is not a range")]
    [InlineData("tags: { exclude: ['regex:('] }, ", "mirror.yml:4:26: sync.jobs.a.tags.exclude[0]: 'regex:(' does not say which tags (")]
    [InlineData("tags: { include: [] }, ", "mirror.yml:4:16: sync.jobs.a.tags.include: the list is empty")]
    [InlineData("tags: { by: created }, ", "mirror.yml:4:16: sync.jobs.a.tags.by: there is no newest to be found")]
    [InlineData("tag: v1, ", "mirror.yml:4:8: sync.jobs.a.tag: unknown key; did you mean 'tags'?")]
    public void A_part_that_is_wrong_is_a_fault_with_its_place(string part, string fault) =>
        Assert.StartsWith(fault, Fault(Job($"{part}from: docker.io, to: site-b.example/mirror, repositories: alpine")), StringComparison.Ordinal);

    [Theory]
    [InlineData("from: docker.oi, to: cache, repositories: a", "sync.jobs.a.from: there is no registry 'docker.oi'; did you mean 'docker.io'?")]
    [InlineData("from: docker.io, to: elsewhere.example/x, repositories: a", "sync.jobs.a.to: there is no registry 'elsewhere.example': list it under registries")]
    [InlineData("from: docker.io, to: 'https://site-b.example', repositories: a", "sync.jobs.a.to: 'https://site-b.example' is not where images are: write")]
    [InlineData("from: docker.io, to: cache/x, repositories: a", "sync.jobs.a.to: 'cache/x' is not where images are: write")]
    [InlineData("from: cache, to: site-b.example, repositories: a", "sync.jobs.a.from: the cache is no source")]
    [InlineData("from: local/team-a, to: local/team-a, repositories: a", "sync.jobs.a.to: this is where the images come from")]
    [InlineData("from: local/team-a, to: cache, repositories: a", "sync.jobs.a.to: the cache holds other registries' images")]
    [InlineData("from: site-b.example, to: cache, repositories: a", "sync.jobs.a.to: nobody can pull from site-b.example through this mirror")]
    [InlineData("from: gone.example, to: cache, repositories: a", "sync.jobs.a.from: gone.example is never contacted")]
    [InlineData("from: docker.io, to: cache", "sync.jobs.a.repositories: a job has to say this")]
    [InlineData("from: docker.io, to: cache, repositories: []", "sync.jobs.a.repositories: the list is empty")]
    [InlineData("from: docker.io, to: cache, repositories: Alpine", "sync.jobs.a.repositories: 'Alpine' does not say which repositories (it is neither")]
    [InlineData("from: docker.io, to: cache, repositories: ['library/*']", "sync.jobs.a.repositories: Docker Hub does not list its repositories")]
    [InlineData("to: cache, repositories: a", "sync.jobs.a.from: a job has to say this")]
    [InlineData("from: docker.io, repositories: a", "sync.jobs.a.to: a job has to say this")]
    [InlineData("from: docker.io, to: cache, delete: true, repositories: a", "sync.jobs.a.delete: nothing is deleted in the cache")]
    [InlineData(
        "from: docker.io, to: local/mirror, repositories: alpine",
        "sync.jobs.a.to: mirror/library/alpine is not one of this registry's own names: list it under local, as mirror/** perhaps")]
    [InlineData("from: local/apps, to: site-b.example, repositories: web", "sync.jobs.a.from: apps/web is not one of this registry's own names")]
    public void A_job_that_can_not_be_done_is_a_fault_that_says_what_to_write(string job, string fault) =>
        Assert.Contains($": {fault}", Fault(Job(job)), StringComparison.Ordinal);

    [Fact]
    public void Two_repositories_that_would_get_one_name_are_a_fault() => Assert.Contains(
        "alpine and library/alpine would both be library/alpine at docker.io",
        Fault(Job("from: site-b.example, to: docker.io, repositories: [alpine, library/alpine]")),
        StringComparison.Ordinal);

    [Fact]
    public void A_registry_that_is_called_as_we_are_can_not_be_meant() => Assert.Contains(
        "this would mean a registry 'local' too",
        Fault("registries: { local: { url: 'http://127.0.0.1:5001' }, b.example: }\nsync: { jobs: { a: { from: local, to: b.example, repositories: x } } }"),
        StringComparison.Ordinal);

    [Theory]
    [InlineData("default: true", "registries.registry.example.com.default: pullThrough is false")]
    [InlineData("host: lab.example", "registries.registry.example.com.host: pullThrough is false")]
    public void Who_can_not_be_pulled_through_is_not_led_to(string line, string fault) => Assert.Contains(
        fault, Fault($"registries: {{ registry.example.com: {{ pullThrough: false, {line} }} }}"), StringComparison.Ordinal);

    private static string Job(string parts) => $"{Registries}sync: {{ jobs: {{\n  a: {{ {parts} }} }} }}";
}
