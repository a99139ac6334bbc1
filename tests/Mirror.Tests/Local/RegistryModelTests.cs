using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Mirror.Tests.Local;

/// <summary>Whatever clients do to a registry, in whatever order, it answers as a registry of a few dictionaries does.</summary>
public sealed class RegistryModelTests
{
    private const int Steps = 40;

    private static readonly bool IsLong = Environment.GetEnvironmentVariable("MIRROR_LONG") is not null;

    /// <summary>A failure is printed with its seed; <c>WithReplay</c> of that does the same again.</summary>
    private static Config Configuration => Config.QuickThrowOnFailure.WithMaxTest(IsLong ? 300 : 12).WithStartSize(Steps).WithEndSize(Steps);

    [Fact]
    public async Task Whatever_is_pushed_read_and_deleted_in_whatever_order_is_answered_as_a_model_answers_it()
    {
        await using var registry = await OwnRegistry.StartAsync();
        var run = 0;

        Check.One(Configuration, Prop.ForAll(ModelStep.Sequences, steps =>
        {
            // Repositories of its own for each, so that one registry serves all.
            var world = new ModelWorld(registry, $"run-{run++}");
            return FindDifferenceAsync(world, steps).GetAwaiter().GetResult() is { } difference ? false.Label(difference) : true.Label("same");
        }));

        Assert.DoesNotContain(registry.Mirror.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
        Assert.Empty(registry.Mirror.StrayFiles());
    }

    private static async Task<string?> FindDifferenceAsync(ModelWorld world, IReadOnlyList<ModelStep> steps)
    {
        var done = new StringBuilder();
        foreach (var step in steps)
        {
            done.AppendLine($"{step}");
            if (await step.RunAsync(world) is { } difference)
            {
                return $"{difference}\nafter\n{done}";
            }
        }

        var after = await world.FindDifferenceAsync();
        await world.CancelUploadsAsync();
        return after is null ? null : $"{after}\nafter\n{done}";
    }
}
