using System.Globalization;
using Mirror.Access;
using Mirror.Testing;

namespace Mirror.Tests.Access;

/// <summary>What was answered a short time ago is remembered, whoever asks meanwhile.</summary>
public sealed class RecentAnswersTests
{
    [Fact]
    public async Task Many_may_ask_and_add_while_others_are_forgotten()
    {
        var answers = new RecentAnswers(new ManualTime());

        await Task.WhenAll(Enumerable.Range(0, 4).Select(part => Task.Run(() =>
        {
            for (var i = 0; i < 50_000; i++)
            {
                var question = string.Create(CultureInfo.InvariantCulture, $"{part}/{i}");
                answers.Add(question);
                answers.Has(question);
            }
        })));
    }
}
