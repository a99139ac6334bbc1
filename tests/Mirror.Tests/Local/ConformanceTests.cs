using System.Text;

namespace Mirror.Tests.Local;

/// <summary>
/// The distribution spec's rules, to lay beside it: what is asked, and what has to be answered. The rules are in
/// <see cref="ConformanceRules"/>, and what their braces stand for in <see cref="ConformanceScene"/>.
/// </summary>
public sealed class ConformanceTests(ConformanceTests.OneRegistry registry) : IClassFixture<ConformanceTests.OneRegistry>
{
    public static TheoryData<string> Rules => [.. ConformanceRules.All.Select(rule => rule.Name)];

    [Theory]
    [MemberData(nameof(Rules))]
    public async Task The_distribution_specs_rule_holds(string name)
    {
        var rule = ConformanceRules.All.Single(rule => rule.Name == name);
        var scene = await ConformanceScene.PrepareAsync(registry.Started, rule);

        foreach (var line in rule.Lines)
        {
            AssertIs(line, scene, await AskAsync(line, scene));
        }
    }

    [Fact]
    public void Each_rule_has_a_name_of_its_own() =>
        Assert.Equal(ConformanceRules.All.Count, ConformanceRules.All.Select(rule => rule.Name).Distinct().Count());

    private async Task<PushAnswer> AskAsync(Line line, ConformanceScene scene)
    {
        var content = line.Body is { } body ? scene.Bytes(body) : (ReadOnlyMemory<byte>?)null;
        var headers = line.RequestHeaders.Select(header => scene.Expand(header).Split(": ", 2)).Select(parts => (parts[0], parts[1]));
        return await registry.Started.SendAsync(line.Method, scene.Expand(line.Target), content, [.. headers]);
    }

    private static void AssertIs(Line line, ConformanceScene scene, PushAnswer answer)
    {
        var what = $"{line.Method} {scene.Expand(line.Target)} was answered {answer.Status} {Encoding.UTF8.GetString(answer.Body)}";
        Assert.True(answer.Status == line.Status, what);
        // An answer to HEAD has no body to say it in.
        Assert.True(line.Method == "HEAD" || answer.Error == line.Error, what);
        foreach (var header in line.AnswerHeaders.Select(scene.Expand))
        {
            var parts = header.Split(": ", 2);
            Assert.True(parts[1] == (answer.Header(parts[0]) ?? "none"), $"{what} with {parts[0]}: {answer.Header(parts[0]) ?? "none"}");
        }

        if (line.AnswerBody is { } expected)
        {
            Assert.Equal(Encoding.UTF8.GetString(scene.Bytes(expected).Span), Encoding.UTF8.GetString(answer.Body));
        }
    }

    /// <summary>One for all rules: each has repositories of its own there.</summary>
    public sealed class OneRegistry : IAsyncLifetime
    {
        private OwnRegistry? _started;

        internal OwnRegistry Started => _started!;

        public async Task InitializeAsync() => _started = await OwnRegistry.StartAsync();

        public async Task DisposeAsync() => await Started.DisposeAsync();
    }
}
